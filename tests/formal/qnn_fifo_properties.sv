// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_fifo: what is pushed number n (any n) is popped number n; the count is right; what does not
// fit is lost and nothing else.

module qnn_fifo_properties #(
  parameter  int unsigned Width  = 64,
  parameter  int unsigned Depth  = 32,
  localparam int unsigned CountW = $clog2(Depth + 1),
  localparam int unsigned AddrW  = $clog2(Depth)
) (
  input logic             clk_i,
  input logic             rst_i,
  input logic             push_i,
  input logic [Width-1:0] data_i,
  input logic             pop_i,
  input logic             choose_i   // this word, by the solver
);
  logic              valid;
  logic [Width-1:0]  data;
  logic [CountW-1:0] count;
  qnn_fifo #(
    .Width(Width), .Depth(Depth)
  ) dut (
    .clk_i, .rst_i, .push_i, .data_i, .valid_o(valid), .pop_i, .data_o(data), .count_o(count)
  );

  logic begun = 1'b0;
  always_ff @(posedge clk_i) begun <= 1'b1;
  always_comb if (!begun) assume (rst_i);

  // any one word that is pushed; ahead: words that are popped before it
  logic              held;
  logic [Width-1:0]  word;
  logic [CountW-1:0] ahead;
  logic              push, pop;
  assign push = push_i && count != CountW'(Depth);
  assign pop = pop_i && count != '0;
  followed #(
    .Width(Width), .CountW(CountW)
  ) u_word (
    .clk_i, .rst_i, .push_i(push), .pop_i(pop), .choose_i, .data_i, .count_i(count),
    .chosen_o(), .held_o(held), .data_o(word), .ahead_o(ahead)
  );

  logic [CountW-1:0] expected;
  always_ff @(posedge clk_i) begin
    expected <= rst_i ? '0 : expected + CountW'(push) - CountW'(pop);
  end

  always_comb begin
    if (begun) begin
      count_right : assert (count == expected);
      count_bound : assert (count <= CountW'(Depth));
      count_valid : assert (valid == (count != '0));
      count_places : assert (AddrW'(dut.tail - dut.head) == AddrW'(count));
      if (held) begin
        order_inside : assert (ahead < count);
        order_kept : assert (dut.mem[AddrW'(dut.head + AddrW'(ahead))] == word);
        if (ahead == '0) order_data : assert (valid && data == word);
      end
    end
  end

  always_comb begin
    cover_full : cover (begun && count == CountW'(Depth) && push_i);
    cover_popped : cover (begun && held && ahead == '0 && pop && count > CountW'(1));
    cover_both : cover (begun && push && pop && count == CountW'(Depth - 1));
  end
endmodule
