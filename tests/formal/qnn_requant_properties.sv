// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_requant, for any group of channels and any of its pixels, whatever surrounds them: a channel
// is multiplied, shifted and saturated by the parameters that came as its words, none of them late or
// early; its code is in row_o when the last group's codes are there, told by valid_o then and never
// else; no code is above 2^planes - 1.
//
// How to multiply is not proven: that is the benches' affair. Proven is of which numbers the two
// products are (the lower and the upper part of the multiplier, each times x), and that
//
//     code = (upper * 2^17 + lower + addend * 2^15) >>> (shift + 17), held within 0..2^planes - 1
//
// whatever upper and lower are: see factor_products. Words come as the header of the module says.

module qnn_requant_properties
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pe      = 16,
  parameter  int unsigned Pixels  = 4,
  parameter  int unsigned Channel = 0,         // of the eight
  localparam int unsigned Groups  = Pe / GROUP_PE,
  localparam int unsigned Slot    = Pixels > REQUANT_WORDS ? Pixels : REQUANT_WORDS
) (
  input logic                     clk_i,
  input logic                     rst_i,
  input logic [3:0]               planes_i,
  input logic [REQUANT_WORDS-1:0] load_i,
  input logic [GROUP_PE*32-1:0]   params_i,
  input logic                     valid_i,
  input logic                     last_i,
  input logic                     present_i,
  input logic [GROUP_PE*32-1:0]   sums_i,
  // by the solver
  input logic                     choose_group_i,
  input logic                     choose_pixel_i,
  input logic [7:0]               place_i        // of the chosen group in its row
);
  localparam int unsigned Latency = 8;
  localparam int unsigned End = Latency + (Groups - 1) * Slot + 1;   // the age at which all is over

  logic                 valid, present, busy;
  logic [Pe*CODE_W-1:0] row;
  qnn_requant #(
    .Pe(Pe), .Pixels(Pixels)
  ) dut (
    .clk_i, .rst_i, .planes_i, .load_i, .params_i, .valid_i, .last_i, .present_i, .sums_i,
    .valid_o(valid), .present_o(present), .row_o(row), .busy_o(busy)
  );

  // the environment: four words one behind the other, a group every Slot cycles or seldomer
  logic        begun = 1'b0, settled, known;     // known: there was a word 0
  logic [3:0]  planes_q;
  logic [7:0]  place_q;
  int unsigned since;                            // cycles since the latest word 0, then Slot
  logic [REQUANT_WORDS-1:0] load = '0;           // which word comes
  always_ff @(posedge clk_i) begin
    load <= load_i;
    begun <= 1'b1;
    settled <= begun;
    {planes_q, place_q} <= {planes_i, place_i};
    if (since != Slot) since <= since + 1;
    if (load[0]) since <= 1;
    known <= !rst_i && (known || load[0]);
    if (rst_i) since <= Slot;
  end
  always_comb begin
    if (!begun) assume (rst_i);
    assume (planes_i >= 4'd1 && planes_i <= 4'd8 && 32'(place_i) < Groups);
    if (begun) assume (planes_i == planes_q && place_i == place_q);
    assume (!load[0] || since == Slot);
    for (int unsigned k = 1; k < REQUANT_WORDS; k++) assume (load[k] == (known && since == k));
    assume (!rst_i || load == '0);
  end

  // the chosen group: its parameters, and cycles since its word 0, up to the end of its row
  logic                   chosen;
  int unsigned            age_group;
  logic [GROUP_PE*32-1:0] base, shift, multiplier, addend;
  always_ff @(posedge clk_i) begin
    if (chosen && age_group < Slot + End) age_group <= age_group + 1;
    if (load[0] && choose_group_i && !chosen) begin
      chosen <= 1'b1;
      age_group <= 1;
      base <= params_i;
    end
    if (chosen && age_group == 1) shift <= params_i;
    if (chosen && age_group == 2) multiplier <= params_i;
    if (chosen && age_group == 3) addend <= params_i;
    if (rst_i) chosen <= 1'b0;
  end

  // the chosen pixel: its sums, and cycles since they came
  logic                   followed, of_last, exists;
  int unsigned            age;
  logic [GROUP_PE*32-1:0] sums;
  always_ff @(posedge clk_i) begin
    if (followed && age < End) age <= age + 1;
    if (chosen && age_group >= 1 && age_group <= Pixels && valid_i && choose_pixel_i && !followed)
    begin
      followed <= 1'b1;
      age <= 1;
      sums <= sums_i;
      {of_last, exists} <= {last_i, present_i};
    end
    if (rst_i) followed <= 1'b0;
  end

  // sums that came so many cycles ago, less 1
  logic [Latency-1:0] came, came_last;
  always_ff @(posedge clk_i) begin
    came <= rst_i ? '0 : {came[Latency-2:0], valid_i};
    came_last <= rst_i ? '0 : {came_last[Latency-2:0], valid_i && last_i};
  end

  function automatic logic during(int unsigned first, int unsigned last);   // of the group's age
    during = chosen && age_group >= first && age_group <= last;
  endfunction

  for (genvar c = Channel; c == Channel; c++) begin : gen_channel
    // Yosys makes one cell of two that multiply the same; what it computes is the solver's choice, so
    // that factor_products holds only where the module multiplies these
    logic [REQUANT_SPAN_W+16:0] lower, lower_seen;
    logic [REQUANT_SPAN_W+14:0] upper, upper_seen;
    always_ff @(posedge clk_i) begin
      lower <= dut.gen_channel[c].x * dut.gen_channel[c].low_factor;
      upper <= dut.gen_channel[c].x_late * dut.gen_channel[c].high_factor;
      if (age == 3) lower_seen <= lower;
      if (age == 4) upper_seen <= upper;
    end

    logic [31:0]        own_base, own_multiplier, own_sum;
    logic signed [31:0] own_addend;
    logic [4:0]         own_shift;
    logic [REQUANT_SPAN_W-1:0] x;
    assign own_base = base[c*32+:32];
    assign own_shift = shift[c*32+:5];
    assign own_multiplier = multiplier[c*32+:32];
    assign own_addend = addend[c*32+:32];
    assign own_sum = sums[c*32+:32];
    always_comb begin
      x = REQUANT_SPAN_W'(own_sum - own_base);
      if (own_sum < own_base) x = '0;
      else if (own_sum - own_base >= 32'd1 << REQUANT_SPAN_W) x = '1;
    end

    logic signed [63:0] total;
    logic signed [46:0] eights, shifted;         // by whole eights, and by all
    logic [CODE_W-1:0]  top, code, kept;
    assign top = CODE_W'((9'd1 << planes_i) - 9'd1);
    assign total = (64'(upper_seen) <<< REQUANT_LEAST_SHIFT) + 64'(lower_seen)
        + (64'(own_addend) <<< REQUANT_ADDEND_SHIFT);
    assign eights = 47'(total >>> REQUANT_LEAST_SHIFT) >>> {own_shift[4:3], 3'b0};
    assign shifted = eights >>> own_shift[2:0];
    always_comb begin
      code = CODE_W'(shifted);
      if (shifted > $signed(47'(top))) code = top;
      if (shifted < 0) code = '0;
    end
    always_ff @(posedge clk_i) if (age == Latency) kept <= code;

    logic              shifts, shown;
    logic [CODE_W-1:0] in_row;         // of the chosen group
    always_comb begin
      shifts = 1'b1;
      for (int unsigned i = 0; i < 5; i++) begin
        shifts = shifts
            && (!during(2 + i, Slot + 1 + i) || dut.gen_channel[c].shift[i] == own_shift);
      end
      in_row = '0;
      shown = 1'b0;
      for (int unsigned g = 0; g < Groups; g++) begin
        if (32'(place_i) == g) begin
          in_row = row[(g*GROUP_PE+c)*CODE_W+:CODE_W];
          shown = age == Latency + (Groups - 1 - g) * Slot;
        end
      end
    end

    always_comb begin
      if (begun) begin
        parameter_load : assert (dut.gen_channel[c].load == load);
        parameter_base : assert (!during(1, Slot) || dut.gen_channel[c].base == own_base);
        parameter_shift : assert (shifts);
        parameter_multiplier : assert (!during(3, Slot + 2)
            || {dut.gen_channel[c].high_come, dut.gen_channel[c].low_factor} == own_multiplier);
        parameter_upper : assert (!during(4, Slot + 3)
            || dut.gen_channel[c].high_factor == own_multiplier[31:REQUANT_LEAST_SHIFT]);
        parameter_addend : assert (!during(4, Slot + 3)
            || dut.gen_channel[c].addend == own_addend);
        factor_products : assert (dut.gen_channel[c].low == lower
            && dut.gen_channel[c].high == upper);
        if (settled) value_bound : assert (dut.gen_channel[c].code <= top);
        if (followed) begin
          value_difference : assert (age != 1
              || dut.gen_channel[c].difference == {1'b0, own_sum} - {1'b0, own_base});
          factor_lower : assert (age != 2 || (dut.gen_channel[c].x == x
              && dut.gen_channel[c].low_factor == own_multiplier[REQUANT_LEAST_SHIFT-1:0]));
          factor_upper : assert (age != 3 || (dut.gen_channel[c].x_late == x
              && dut.gen_channel[c].high_factor == own_multiplier[31:REQUANT_LEAST_SHIFT]));
          value_added : assert (age != 4 || dut.gen_channel[c].added
              == 48'(lower_seen) + (48'(own_addend) <<< REQUANT_ADDEND_SHIFT));
          value_total : assert (age != 5
              || 64'(dut.gen_channel[c].total) == total >>> REQUANT_LEAST_SHIFT);
          value_eights : assert (age != 6 || (dut.gen_channel[c].window == 15'(eights)
              && dut.gen_channel[c].beyond == (eights >>> 15 != 0)
              && dut.gen_channel[c].below == (total < 0)
              && dut.gen_channel[c].shift_late == own_shift[2:0]));
          value_ones : assert (age != 7
              || (dut.gen_channel[c].shifted == 15'(eights) >> own_shift[2:0]
              && dut.gen_channel[c].beyond_late == (eights >>> 15 != 0)
              && dut.gen_channel[c].below_late == (total < 0)));
          value_code : assert (age != Latency || dut.gen_channel[c].code == code);
          if (Groups > 1) begin
            row_waits : assert (age <= Latency || age - Latency > (Groups - 1) * Slot
                || dut.gen_line.line[age-Latency-1][c*CODE_W+:CODE_W] == kept);
          end
          row_shows : assert (!shown || in_row == (age == Latency ? code : kept));
        end
      end
    end
  end

  always_comb begin
    if (begun) begin
      age_since : assert (since >= 1 && since <= Slot);
      age_group_known : assert (!chosen || (age_group >= 1 && age_group <= Slot + End
          && (age_group > Slot ? since == Slot || since <= age_group - Slot : age_group == since)
          && known));
      age_known : assert (!followed || (chosen && age >= 1 && age <= End && age < age_group + 1
          && (age == End || (age_group >= age + 1 && age_group <= age + Pixels))));
      time_valid : assert (valid == came_last[Latency-1]);
      time_busy : assert (busy == (valid_i || came != '0));
      time_shown : assert (dut.valid == came && (dut.valid & dut.last) == came_last);
      time_exists : assert (!followed || age > Latency || dut.present[age-1] == exists);
      time_present : assert (!followed || age != Latency || present == exists);
      time_follows : assert (!followed || age > Latency || came[age-1]);
      time_last : assert (!followed || age > Latency || came_last[age-1] == of_last);
    end
  end
  always_comb begin
    cover_next_words : cover (begun && followed && age == 4 && since == 3 && age_group > Slot);
    cover_row : cover (begun && followed && age == End - 1 && valid
        && place_i == '0 && age_group > Slot + 1);
  end
endmodule
