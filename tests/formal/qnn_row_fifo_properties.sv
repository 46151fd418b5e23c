// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_row_fifo: what is pushed into a part as that of row number n (any n) shows in that part of the row
// that is popped number n; valid is high where a row is whole.
//
// Assumed: no part of a row comes after its last one, nor while Depth rows are there.

module qnn_row_fifo_properties #(
  parameter  int unsigned PartW  = 8,
  parameter  int unsigned Parts  = 3,
  parameter  int unsigned Depth  = 4,
  parameter  int unsigned Part   = 1,                // the one that is followed
  localparam int unsigned CountW = $clog2(Depth + 1),
  localparam int unsigned AddrW  = $clog2(Depth)
) (
  input logic                   clk_i,
  input logic                   rst_i,
  input logic [Parts-1:0]       push_i,
  input logic [Parts*PartW-1:0] data_i,
  input logic                   flag_i,
  input logic                   pop_i,
  input logic                   choose_i             // this one, by the solver
);
  logic                   valid, flag;
  logic [Parts*PartW-1:0] data;
  qnn_row_fifo #(
    .PartW(PartW), .Parts(Parts), .Depth(Depth)
  ) dut (
    .clk_i, .rst_i, .push_i, .data_i, .flag_i, .valid_o(valid), .pop_i, .data_o(data), .flag_o(flag)
  );

  logic begun = 1'b0;
  always_ff @(posedge clk_i) begun <= 1'b1;
  always_comb if (!begun) assume (rst_i);

  // parts that are stored: of the one that is followed, and of the last one
  logic [CountW-1:0] own, whole;
  logic              push, last, pop;
  assign push = push_i[Part];
  assign last = push_i[Parts-1];
  assign pop = pop_i && whole != '0;
  always_ff @(posedge clk_i) begin
    own <= rst_i ? '0 : own + CountW'(push) - CountW'(pop);
    whole <= rst_i ? '0 : whole + CountW'(last) - CountW'(pop);
  end
  always_comb begin
    assume (!push || own != CountW'(Depth));
    assume (!last || own + CountW'(push) > whole);
  end

  // any one part that is pushed; ahead: rows that are popped before it
  logic              held, word_flag;
  logic [PartW-1:0]  word;
  logic [CountW-1:0] ahead;
  followed #(
    .Width(PartW + 1), .CountW(CountW)
  ) u_part (
    .clk_i, .rst_i, .push_i(push), .pop_i(pop), .choose_i,
    .data_i({flag_i, data_i[Part*PartW+:PartW]}), .count_i(own), .chosen_o(), .held_o(held),
    .data_o({word_flag, word}), .ahead_o(ahead)
  );

  logic [AddrW-1:0] place;
  assign place = AddrW'(dut.gen_part[Part].u_fifo.head + AddrW'(ahead));
  always_comb begin
    if (begun) begin
      count_valid : assert (valid == (whole != '0));
      count_right : assert (dut.count[Part] == own && dut.count[Parts-1] == whole);
      count_part : assert (dut.valid[Part] == (own != '0));
      count_order : assert (whole <= own && own <= CountW'(Depth));
      count_places : assert (AddrW'(dut.gen_part[Part].u_fifo.tail - dut.gen_part[Part].u_fifo.head)
          == AddrW'(own));
      if (held) begin
        order_inside : assert (ahead < own);
        order_kept : assert (dut.gen_part[Part].u_fifo.mem[place][PartW-1:0] == word);
        if (ahead == '0) begin
          order_data : assert (data[Part*PartW+:PartW] == word);
          if (Part == 0) order_flag : assert (flag == word_flag);
        end
      end
    end
  end
  if (Part == 0) begin : gen_flag
    always_comb begin
      if (begun && held) order_flag_kept : assert (dut.gen_part[0].u_fifo.mem[place][PartW] == word_flag);
    end
  end

  always_comb begin
    cover_full : cover (begun && own == CountW'(Depth) && whole == CountW'(1));
    cover_popped : cover (begun && held && ahead == '0 && pop && own > CountW'(1));
  end
endmodule
