// SPDX-License-Identifier: BSD-3-Clause
//
// One copy of the input map, and one 64-bit piece of a window out of it, at any nibble.
//
// Two banks hold the even and the odd words, so that any 64 bits can be read in one cycle. Nibbles
// outside low_i .. high_i-1 of the piece are padding and read as 0.
// Timing: latency 3 cycles, one piece a cycle. A write is seen by the reads after it.

module qnn_window #(
  parameter  int unsigned Words = 4096,
  localparam int unsigned BankW = $clog2(Words) - 1
) (
  input  logic             clk_i,
  input  logic [7:0]       even_we_i,     // one a byte
  input  logic [7:0]       odd_we_i,
  input  logic [BankW-1:0] even_waddr_i,
  input  logic [BankW-1:0] odd_waddr_i,
  input  logic [63:0]      wdata_i,       // for both banks
  input  logic [BankW:0]   word_i,        // the piece begins in this word
  input  logic [3:0]       nibble_i,      // ... at this nibble
  input  logic [4:0]       low_i,         // 0..16
  input  logic [4:0]       high_i,        // 0..16
  output logic [63:0]      piece_o
);
  logic [63:0] even, odd;
  logic [BankW:0] next_word;
  assign next_word = word_i + 1'b1;

  qnn_ram #(
    .Width(64), .Depth(Words / 2), .Enables(8)
  ) u_even (
    .clk_i, .we_i(even_we_i), .waddr_i(even_waddr_i), .wdata_i,
    .raddr_i(next_word[BankW:1]), .rdata_o(even)
  );
  qnn_ram #(
    .Width(64), .Depth(Words / 2), .Enables(8)
  ) u_odd (
    .clk_i, .we_i(odd_we_i), .waddr_i(odd_waddr_i), .wdata_i,
    .raddr_i(word_i[BankW:1]), .rdata_o(odd)
  );

  // a choice of four half words, of four bytes, of two nibbles with the mask
  logic [1:0][1:0] half;                  // copies, for a half of what they choose each
  logic [1:0][2:0] nibble_2;
  logic [2:0]  nibble_1;
  logic [4:0]  low_1, high_1, low_2, high_2;
  logic [95:0] turned;
  logic [67:0] of_byte;
  logic [63:0] mask;
  always_comb begin
    of_byte[35:0] = 36'(turned >> {nibble_2[0][2:1], 3'b0});
    of_byte[67:36] = 32'(turned[95:36] >> {nibble_2[1][2:1], 3'b0});
    for (int unsigned n = 0; n < 16; n++) mask[n*4+:4] = {4{5'(n) >= low_2 && 5'(n) < high_2}};
  end
  function automatic logic [95:0] words_from(logic [1:0] from);
    unique case (from)
      2'd0: words_from = {odd[31:0], even};
      2'd1: words_from = {odd, even[63:32]};
      2'd2: words_from = {even[31:0], odd};
      2'd3: words_from = {even, odd[63:32]};
    endcase
  endfunction
  for (genvar k = 0; k < 2; k++) begin : gen_half
    qnn_copy #(
      .Width(2)
    ) u_half (.clk_i, .data_i({word_i[0], nibble_i[3]}), .data_o(half[k]));
    qnn_copy #(
      .Width(3)
    ) u_nibble (.clk_i, .data_i(nibble_1), .data_o(nibble_2[k]));
    always_ff @(posedge clk_i) turned[k*48+:48] <= 48'(words_from(half[k]) >> k * 48);
  end
  always_ff @(posedge clk_i) begin
    nibble_1 <= nibble_i[2:0];
    {low_1, high_1} <= {low_i, high_i};
    {low_2, high_2} <= {low_1, high_1};
    piece_o[31:0] <= (nibble_2[0][0] ? of_byte[35:4] : of_byte[31:0]) & mask[31:0];
    piece_o[63:32] <= (nibble_2[1][0] ? of_byte[67:36] : of_byte[63:32]) & mask[63:32];
  end
endmodule
