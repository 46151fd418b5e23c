// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_threshold, of one channel and one pixel: its code is the number of thresholds compared since
// the first one that are at most the sum; copied, it shows 3 cycles later and stays. words_o shows
// what was last written to the address of 2 cycles ago; unless Whole, to the half of the channel there.
// For all sums, all thresholds, and any gaps. Of an odd pixel sums and thresholds have SUM_W bits.
//
// Assumed, from the first compare to the last: the sum stays, thresholds ascend, and the k-th one
// has the code k; where Whole half 1 is compared with the threshold and the code of the half 0 before
// it; a beat is for one pair of channels; a word is not read while it is written.

module qnn_threshold_properties
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Channel = 0,
  parameter  int unsigned Pixels  = 2,
  parameter  int unsigned Pixel   = Pixels - 1,
  parameter  bit          Whole   = 1,
  localparam int unsigned AccW    = 32,
  localparam int unsigned Words   = 4,
  localparam int unsigned PairW   = AccW + SUM_W,
  localparam int unsigned Width   = Pixel % 2 == 0 ? AccW : SUM_W,
  localparam int unsigned Element = Channel * Pixels + Pixel,
  localparam int unsigned First   = Element / 2 * PairW + (Element % 2) * AccW,   // bit of the sum
  localparam int unsigned Half    = Whole ? 0 : Channel / 2 % 2,    // in which thresholds are counted
  localparam int unsigned Memory  = Whole ? Channel / 2 : Channel / 4 * 2,
  localparam int unsigned Lane    = (Channel % 2) * AccW
) (
  input logic                              clk_i,
  input group_ctrl_t                       ctrl_i,
  input logic [GROUP_PE/2-1:0]             threshold_we_i,
  input logic [11:0]                       threshold_waddr_i,
  input logic [63:0]                       data_i,
  input logic [GROUP_PE*Pixels/2*PairW-1:0] sums_i,
  input logic [1:0]                        place_i         // any address, the same in all cycles
);
  logic [GROUP_PE*Pixels*CODE_W-1:0] codes;
  logic [GROUP_PE*AccW-1:0]          words;
  qnn_threshold #(
    .Pixels(Pixels), .AccW(AccW), .ThresholdWords(Words), .Whole(Whole)
  ) dut (
    .clk_i, .ctrl_i, .threshold_we_i, .threshold_waddr_i, .data_i, .sums_i, .codes_o(codes),
    .words_o(words)
  );

  logic [AccW-1:0]   whole_word;
  logic [Width-1:0]  sum, word;
  logic [CODE_W-1:0] code;
  assign sum = sums_i[First+:Width];
  assign whole_word = words[Channel*AccW+:AccW];
  assign word = whole_word[Width-1:0];
  assign code = codes[Element*CODE_W+:CODE_W];

  // how many cycles there were
  logic [2:0] age = '0;
  always_ff @(posedge clk_i) if (age != 3'd7) age <= age + 1'b1;

  // what was written to one place, and when it is read
  logic [1:0]      place;
  logic            known = 1'b0;
  logic            read_1 = 1'b0, read_2 = 1'b0;
  logic [AccW-1:0] stored, read_word_1, read_word_2;
  logic            writes, reads;
  assign writes = threshold_we_i[Channel/2] && threshold_waddr_i[1:0] == place;
  assign reads = ctrl_i.threshold_address[1:0] == place
      && (Whole || ctrl_i.compare_half == 1'(Half));
  always_comb begin
    assume (!(threshold_we_i[Channel/2]
        && threshold_waddr_i[1:0] == ctrl_i.threshold_address[1:0]));
    assume ($onehot0(threshold_we_i));
  end
  always_ff @(posedge clk_i) begin
    place <= age == '0 ? place_i : place;
    if (writes) stored <= data_i[(Channel%2)*32+:AccW];
    known <= age != '0 && (known || writes);
    read_1 <= known && reads;
    read_2 <= read_1;
    read_word_1 <= stored;
    read_word_2 <= read_word_1;
  end

  // the compares, two cycles after their control
  logic              valid_1, valid_2, first_1, first_2, half_1, half_2, copy_1, copy_2;
  logic [CODE_W-1:0] level_1, level_2;
  always_ff @(posedge clk_i) begin
    {valid_1, first_1, half_1, copy_1} <= {ctrl_i.compare_valid, ctrl_i.compare_first,
        ctrl_i.compare_half, ctrl_i.copy};
    {valid_2, first_2, half_2, copy_2} <= {valid_1, first_1, half_1, copy_1};
    level_1 <= ctrl_i.compare_code;
    level_2 <= level_1;
  end

  logic              begun = 1'b0;
  logic              shown = 1'b0;
  logic              last_first;
  logic [CODE_W-1:0] count, last_level, shown_code;
  logic [Width-1:0]  last_word, last_sum;
  logic              compares, again;
  assign compares = age >= 3'd2 && valid_2 && half_2 == 1'(Half) && (begun || first_2);
  assign again = age >= 3'd2 && valid_2 && Whole && half_2;
  always_ff @(posedge clk_i) begin
    if (compares) begin
      begun <= 1'b1;
      count <= (first_2 ? '0 : count) + CODE_W'(word <= sum);
      last_first <= first_2;
      last_level <= level_2;
      last_word <= word;
      last_sum <= sum;
    end
    if (age >= 3'd2 && copy_2) begin
      shown <= begun;
      shown_code <= count;
    end
  end
  always_comb begin
    if (compares && first_2) assume (level_2 == CODE_W'(1));
    if (compares && !first_2) begin
      assume (level_2 == last_level + 1'b1 && last_level != '1);
      assume (word >= last_word && sum == last_sum);
    end
    if (again) begin
      assume (begun && first_2 == last_first && level_2 == last_level);
      assume (word == last_word && sum == last_sum);
    end
    // before the first compare nothing is known of a code
    if (age >= 3'd2 && valid_2 && half_2 == 1'(Half) && !first_2) assume (begun);
  end

  logic copies;
  assign copies = dut.gen_memory[Memory].gen_half[Channel/2-Memory].copy_now;
  always_comb begin
    if (age >= 3'd2) begin
      same_valid : assert (dut.compare_valid[2] == valid_2);
      same_first : assert (dut.compare_first[2] == first_2);
      same_half : assert (dut.compare_half[2] == half_2);
      same_copy : assert (copies == copy_2);
      same_level : assert (dut.code_2 == level_2);
    end
    if (age >= 3'd1) begin
      same_next : assert (dut.compare_valid[1] == valid_1 && dut.compare_first[1] == first_1
          && dut.compare_half[1] == half_1 && dut.copy[1] == copy_1 && dut.code_1 == level_1);
    end
    if (read_1) begin
      word_read : assert (dut.gen_memory[Memory].pair[Lane+:AccW] == read_word_1);
    end
    if (read_2) word_right : assert (whole_word == read_word_2);
    if (begun || shown) begun_late : assert (age > 3'd2);
    if (begun) begin
      code_counts : assert (
          dut.gen_memory[Memory].gen_half[Channel/2-Memory].gen_sum[Element].code == count);
      count_whole : assert (last_word > last_sum || count == last_level);
      count_most : assert (count <= last_level);
      count_first : assert (!last_first
          || (last_level == CODE_W'(1) && count == CODE_W'(last_word <= last_sum)));
    end
    if (shown) code_shown : assert (code == shown_code);
    cover_three : cover (shown && shown_code == 8'd3 && last_level == 8'd5);
    cover_none : cover (shown && shown_code == 8'd0);
    cover_read : cover (read_2 && whole_word == 32'h12345678);
  end
  localparam int unsigned AddrW = $clog2(Words) + (Whole ? 0 : 1);
  always_comb begin
    if (known) begin
      word_held : assert (
          dut.gen_memory[Memory].u_thresholds.mem[AddrW'({place, 1'(Half)} >> Whole)][Lane+:AccW]
          == stored);
    end
  end
endmodule
