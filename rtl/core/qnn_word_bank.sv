// SPDX-License-Identifier: BSD-3-Clause
//
// Products of 16-bit words, on DSP48s: eight output channels by Pixels output pixels, four products
// of each a cycle. A word of weights or of a window is four numbers, number j is bits [16*j +: 16].
//
//     acc[c][m] = over the words of a pass: sum of weight[c][j] * act[m][j], exact to WORD_ACC_W bits
//     sum[c][m] = (acc[c][m] >> WORD_SHIFT) + 2^31, 32 bits                    (arithmetic shift)
//
// Weights are two's complement, and so are the numbers of a window unless unsigned_i. The four
// products of a word are one chain of multiply-adds, each a cycle behind the one before it.
//
// The passes over one group of pixels are for one group of channels after the other.
//
// Timing, for weights_i and act_i at cycle 0: a pass that ends there shows its sums from cycle 9 on,
// one pixel a cycle. A pass has at least Pixels words; between its words may be any gap. Without
// valid_o sums_o is 0.

module qnn_word_bank
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pixels = 4,
  localparam int unsigned PixelW = (Pixels > 1) ? $clog2(Pixels) : 1
) (
  input  logic                       clk_i,
  input  logic                       rst_i,
  input  logic                       unsigned_i,
  input  logic                       valid_i,
  input  logic                       first_i,     // first word of a pass
  input  logic                       last_i,      // last word of a pass
  input  logic                       end_i,       // ... of the last pass
  input  logic [GROUP_PE*SIMD-1:0]   weights_i,   // channel c is bits [c*SIMD +: SIMD]
  input  logic [Pixels*SIMD-1:0]     act_i,       // pixel m is bits [m*SIMD +: SIMD]
  output logic                       valid_o,
  output logic [2:0]                 group_o,     // passes of these pixels before this one
  output logic [PixelW-1:0]          pixel_o,
  output logic                       last_o,      // the last sums of these pixels
  output logic [GROUP_PE*WORD_W-1:0] sums_o       // channel c is bits [c*WORD_W +: WORD_W]
);
  localparam int unsigned Numbers = SIMD / 16;
  localparam int unsigned ChainW = 35;            // four products of 16 and 17 bits
  localparam int unsigned Latency = Numbers + 2;  // from the operands to the end of the chain

  logic [Latency-1:0] valid, first;
  logic [Latency:0]   last, ending;
  always_ff @(posedge clk_i) begin
    valid <= {valid[Latency-2:0], valid_i};
    first <= {first[Latency-2:0], first_i};
    last <= {last[Latency-1:0], last_i && valid_i};
    ending <= {ending[Latency-1:0], end_i};
    if (rst_i) last <= '0;
  end

  // number j of a word is j cycles late, so that its product meets the sum of those before it
  for (genvar j = 0; j < Numbers; j++) begin : gen_number
    for (genvar c = 0; c < GROUP_PE; c++) begin : gen_weight
      logic signed [15:0] late, weight;
      if (j == 0) begin : gen_now
        assign late = weights_i[c*SIMD+:16];
      end else begin : gen_late
        logic [16*j-1:0] line;
        always_ff @(posedge clk_i) line <= (16 * j)'({line, weights_i[c*SIMD+16*j+:16]});
        assign late = line[16*j-1-:16];
      end
      always_ff @(posedge clk_i) weight <= late;
    end
    for (genvar m = 0; m < Pixels; m++) begin : gen_act
      logic signed [15:0] late;
      logic signed [16:0] act;
      if (j == 0) begin : gen_now
        assign late = act_i[m*SIMD+:16];
      end else begin : gen_late
        logic [16*j-1:0] line;
        always_ff @(posedge clk_i) line <= (16 * j)'({line, act_i[m*SIMD+16*j+:16]});
        assign late = line[16*j-1-:16];
      end
      always_ff @(posedge clk_i) act <= {late[15] && !unsigned_i, late};
    end
  end

  logic [GROUP_PE*Pixels*WORD_W-1:0] sums;        // of channel c, pixel m: element c*Pixels + m
  for (genvar c = 0; c < GROUP_PE; c++) begin : gen_channel
    for (genvar m = 0; m < Pixels; m++) begin : gen_pixel
      for (genvar j = 0; j < Numbers; j++) begin : gen_product
        logic signed [32:0] product;
        logic signed [ChainW-1:0] chain;
        always_ff @(posedge clk_i) product <= gen_number[j].gen_weight[c].weight
            * gen_number[j].gen_act[m].act;
        if (j == 0) begin : gen_head
          always_ff @(posedge clk_i) chain <= ChainW'(product);
        end else begin : gen_link
          always_ff @(posedge clk_i) chain <= gen_product[j-1].chain + ChainW'(product);
        end
      end

      logic signed [WORD_ACC_W-1:0] acc;
      logic [WORD_W-1:0] sum;
      always_ff @(posedge clk_i) begin
        if (valid[Latency-1]) begin
          acc <= WORD_ACC_W'(gen_product[Numbers-1].chain) + (first[Latency-1] ? '0 : acc);
        end
        if (last[Latency]) sum <= {!acc[WORD_ACC_W-1], acc[WORD_SHIFT+:WORD_W-1]};
      end
      assign sums[(c*Pixels+m)*WORD_W+:WORD_W] = sum;
    end
  end

  // one pixel a cycle
  logic              reading, at_end, last_pixel;
  logic [PixelW-1:0] pixel;
  logic [2:0]        group;
  assign last_pixel = pixel == PixelW'(Pixels - 1);
  always_ff @(posedge clk_i) begin
    if (reading) begin
      pixel <= pixel + 1'b1;
      if (last_pixel) begin
        reading <= 1'b0;
        group <= at_end ? '0 : group + 1'b1;
      end
    end
    if (last[Latency]) begin
      reading <= 1'b1;
      pixel <= '0;
      at_end <= ending[Latency];
    end
    if (rst_i) begin
      reading <= 1'b0;
      group <= '0;
    end
    valid_o <= reading && !rst_i;
    group_o <= group;
    pixel_o <= pixel;
    last_o <= at_end && last_pixel;
    for (int unsigned c = 0; c < GROUP_PE; c++) begin
      for (int unsigned m = 0; m < Pixels; m++) begin
        if (pixel == PixelW'(m)) sums_o[c*WORD_W+:WORD_W] <= sums[(c*Pixels+m)*WORD_W+:WORD_W];
      end
    end
    if (!reading) sums_o <= '0;
  end
endmodule
