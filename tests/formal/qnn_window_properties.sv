// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_window, for any byte of the map: wherever a piece begins, its nibbles that lie in this byte are, three
// cycles later, what was written there last; nibbles outside low_i .. high_i-1 are 0. The map is a ring: a
// piece that begins in its last word ends in the first one. As the byte is any, whole pieces are what was
// written, of two words, too, whatever else is written meanwhile.
//
// Nothing is said of what a piece has of a word that is written, any byte of it, in the cycle in which the
// piece is asked for: qnn_ram may give anything. The cycles before count, and the bytes beside do not.

module qnn_window_properties #(
  parameter  int unsigned Words = 16,
  localparam int unsigned BankW = $clog2(Words) - 1
) (
  input logic             clk_i,
  input logic [7:0]       even_we_i,
  input logic [7:0]       odd_we_i,
  input logic [BankW-1:0] even_waddr_i,
  input logic [BankW-1:0] odd_waddr_i,
  input logic [63:0]      wdata_i,
  input logic [BankW:0]   word_i,
  input logic [3:0]       nibble_i,
  input logic [4:0]       low_i,
  input logic [4:0]       high_i,
  input logic [BankW:0]   place_i,   // of the byte: its word, any, the same in all cycles
  input logic [2:0]       byte_i     // likewise
);
  logic [63:0] piece;
  qnn_window #(
    .Words(Words)
  ) dut (
    .clk_i, .even_we_i, .odd_we_i, .even_waddr_i, .odd_waddr_i, .wdata_i, .word_i, .nibble_i, .low_i,
    .high_i, .piece_o(piece)
  );

  logic           begun = 1'b0;
  logic [BankW:0] place_q, place;
  logic [2:0]     byte_q, own;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    {place_q, byte_q} <= {place, own};
  end
  assign {place, own} = begun ? {place_q, byte_q} : {place_i, byte_i};

  // what was written there last
  logic [7:0] we, stored;
  logic       known = 1'b0;
  assign we = place[0] ? (odd_waddr_i == place[BankW:1] ? odd_we_i : '0)
      : even_waddr_i == place[BankW:1] ? even_we_i : '0;
  always_ff @(posedge clk_i) begin
    if (we[own]) stored <= wdata_i[own*8+:8];
    known <= known || we[own];
  end

  // the pieces that are on their way, and what the byte was
  typedef struct packed {
    logic       mine;       // the byte is in one of the two words of the piece
    logic       second;     // in that which it ends in
    logic [3:0] nibble;
    logic [4:0] low;
    logic [4:0] high;
    logic [7:0] value;
  } asked_t;
  asked_t         asked [3];
  logic   [1:0]   age = '0;
  logic [BankW:0] next_word;
  assign next_word = word_i + 1'b1;
  always_ff @(posedge clk_i) begin
    if (age != 2'd3) age <= age + 1'b1;
    asked[0] <= '{
      mine: known && we == '0 && (word_i == place || next_word == place), second: next_word == place,
      nibble: nibble_i, low: low_i, high: high_i, value: stored
    };
    asked[1] <= asked[0];
    asked[2] <= asked[1];
  end

  // its lower nibble, counted from the first one of the piece and 16 before it; its place in what is left
  // of both words after the choice of half words
  logic [5:0]  at;
  logic [3:0]  lower_at, upper_at;
  logic [4:0]  turned_at;
  logic [15:0] counts;
  logic        padded;
  assign at = 6'd16 + {1'b0, asked[2].second, own, 1'b0} - 6'(asked[2].nibble);
  assign lower_at = 4'(at);
  assign upper_at = lower_at + 1'b1;
  assign turned_at = 5'd8 + {1'b0, asked[1].second, own} - {2'b0, asked[1].nibble[3], 2'b0};
  always_comb begin
    padded = 1'b1;
    for (int unsigned n = 0; n < 16; n++) begin
      counts[n] = 5'(n) >= asked[2].low && 5'(n) < asked[2].high;
      padded = padded && (counts[n] || piece[n*4+:4] == '0);
    end
  end

  logic [7:0] of_bank;
  logic       lower, upper;            // the nibble is in the piece, and counts
  assign of_bank = place[0] ? dut.odd[own*8+:8] : dut.even[own*8+:8];
  assign lower = at >= 6'd16 && at < 6'd32 && counts[lower_at];
  assign upper = at >= 6'd15 && at < 6'd31 && counts[upper_at];
  always_comb begin
    if (known) begin
      held_even : assert (place[0] || dut.u_even.mem[place[BankW:1]][own*8+:8] == stored);
      held_odd : assert (!place[0] || dut.u_odd.mem[place[BankW:1]][own*8+:8] == stored);
    end
    if (age >= 2'd1) begin
      read_how : assert ({dut.half[0][0], dut.nibble_1, dut.low_1, dut.high_1}
          == {asked[0].nibble, asked[0].low, asked[0].high} && dut.half[0] == dut.half[1]);
      if (asked[0].mine) begin
        read_word : assert (dut.half[0][1] == (place[0] ^ asked[0].second));
        read_byte : assert (of_bank == asked[0].value);
      end
    end
    if (age >= 2'd2) begin
      turned_how : assert ({dut.nibble_2, dut.low_2, dut.high_2}
          == {{2{asked[1].nibble[2:0]}}, asked[1].low, asked[1].high});
      if (asked[1].mine && turned_at >= 5'd8 && turned_at < 5'd20) begin
        turned_byte : assert (dut.turned[(turned_at-5'd8)*8+:8] == asked[1].value);
      end
    end
    if (age == 2'd3) begin
      piece_padded : assert (padded);
      if (asked[2].mine) begin
        if (lower) piece_lower : assert (piece[lower_at*4+:4] == asked[2].value[3:0]);
        if (upper) piece_upper : assert (piece[upper_at*4+:4] == asked[2].value[7:4]);
      end
    end
    cover_first : cover (age == 2'd3 && asked[2].mine && lower && !upper && asked[2].second);
    cover_second : cover (age == 2'd3 && asked[2].mine && upper && !lower && !asked[2].second);
    cover_rewritten : cover (we[own] && asked[2].mine && asked[2].value != stored && lower && upper);
  end
endmodule
