// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_threshold, of one channel and one pixel: its code is the number of thresholds compared since
// the first one that are at most the sum; copied, it shows 3 cycles later and stays. words_o shows
// what was last written to the address of 2 cycles ago; unless Whole, that part of it.
// For all sums, all thresholds, and any gaps. Of an odd pixel sums and thresholds have SUM_W bits.
//
// Assumed, from the first compare to the last: the sum stays, thresholds ascend, and the k-th one
// has the code k; unless Whole the high part of a threshold comes in the cycle after the low one, and
// where only this is compared sum and threshold have no more bits; a word is not read while it is written;
// in the first 3 cycles nothing is compared.

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
  localparam int unsigned Memory  = Channel / 4,
  localparam int unsigned Lane    = Channel % 4
) (
  input logic                              clk_i,
  input group_ctrl_t                       ctrl_i,
  input logic [GROUP_PE/4-1:0]             threshold_we_i,
  input logic [11:0]                       threshold_waddr_i,
  input logic                              threshold_high_i,
  input logic [3:0][SHORT_W-1:0]           threshold_data_i,
  input logic [GROUP_PE*Pixels/2*PairW-1:0] sums_i,
  input logic [1:0]                        place_i,        // any address, the same in all cycles
  input logic                              high_i          // and part, likewise
);
  logic [GROUP_PE*Pixels*CODE_W-1:0] codes;
  logic [GROUP_PE*AccW-1:0]          words;
  qnn_threshold #(
    .Pixels(Pixels), .AccW(AccW), .ThresholdWords(Words), .Whole(Whole)
  ) dut (
    .clk_i, .ctrl_i, .threshold_we_i, .threshold_waddr_i, .threshold_high_i, .threshold_data_i,
    .sums_i, .codes_o(codes), .words_o(words)
  );

  logic [AccW-1:0]    shown_word;
  logic [SHORT_W-1:0] part;                  // unless Whole
  logic [Width-1:0]   sum;
  logic [CODE_W-1:0]  code;
  assign sum = sums_i[First+:Width];
  assign shown_word = words[Channel*AccW+:AccW];
  assign part = shown_word[SHORT_W-1:0];
  assign code = codes[Element*CODE_W+:CODE_W];

  // how many cycles there were
  logic [2:0] age = '0;
  always_ff @(posedge clk_i) if (age != 3'd7) age <= age + 1'b1;

  // what was written to one place, and when it is read
  logic [1:0]         place;
  logic               of_high;
  logic               known = 1'b0;
  logic               read_1 = 1'b0, read_2 = 1'b0;
  logic [SHORT_W-1:0] stored, read_part_1, read_part_2, part_shown;
  logic               writes, reads;
  assign writes = threshold_we_i[Memory] && threshold_waddr_i[1:0] == place
      && threshold_high_i == of_high;
  assign reads = ctrl_i.threshold_address[1:0] == place && (Whole || ctrl_i.compare_high == of_high);
  assign part_shown = Whole && of_high ? SHORT_W'(shown_word >> SHORT_W) : part;
  always_comb begin
    assume (!(threshold_we_i[Memory] && threshold_waddr_i[1:0] == ctrl_i.threshold_address[1:0]));
  end
  always_ff @(posedge clk_i) begin
    {place, of_high} <= age == '0 ? {place_i, high_i} : {place, of_high};
    if (writes) stored <= threshold_data_i[Lane];
    known <= age != '0 && (known || writes);
    read_1 <= known && reads;
    read_2 <= read_1;
    read_part_1 <= stored;
    read_part_2 <= read_part_1;
  end

  // the compares, two cycles after their control
  logic              valid_1, valid_2, first_1, first_2, high_1, high_2, last_1, last_2;
  logic              copy_1, copy_2;
  logic [CODE_W-1:0] level_1, level_2;
  always_ff @(posedge clk_i) begin
    {valid_1, first_1, high_1, last_1, copy_1} <= {ctrl_i.compare_valid, ctrl_i.compare_first,
        ctrl_i.compare_high, ctrl_i.compare_last, ctrl_i.copy};
    {valid_2, first_2, high_2, last_2, copy_2} <= {valid_1, first_1, high_1, last_1, copy_1};
    level_1 <= ctrl_i.compare_code;
    level_2 <= level_1;
  end

  // a threshold, whole in the cycle in which it counts
  logic               was_low = 1'b0, low_first;
  logic [SHORT_W-1:0] low_part;
  logic [Width-1:0]   low_sum, word;
  logic [CODE_W-1:0]  low_level;
  logic [2*SHORT_W-1:0] both;
  always_ff @(posedge clk_i) begin
    was_low <= age >= 3'd3 && valid_2 && !last_2;
    {low_part, low_sum, low_first, low_level} <= {part, sum, first_2, level_2};
  end
  assign both = high_2 ? {part, low_part} : (2 * SHORT_W)'(part);
  assign word = Whole ? shown_word[Width-1:0] : both[Width-1:0];
  always_comb begin
    if (age < 3'd3) assume (!ctrl_i.compare_valid);
    if (age >= 3'd3 && !Whole) begin
      if (was_low) begin
        assume (valid_2 && high_2 && last_2 && first_2 == low_first && level_2 == low_level);
        assume (sum == low_sum && both >> Width == '0);
      end else begin
        assume (!valid_2 || !high_2);
        if (valid_2 && last_2) assume (sum >> SHORT_W == '0);
      end
    end
  end

  logic              begun = 1'b0;
  logic              shown = 1'b0;
  logic              last_first;
  logic [CODE_W-1:0] count, last_level, shown_code;
  logic [Width-1:0]  last_word, last_sum;
  logic              compares;
  assign compares = age >= 3'd3 && valid_2 && last_2 && (begun || first_2);
  always_ff @(posedge clk_i) begin
    if (compares) begin
      begun <= 1'b1;
      count <= (first_2 ? '0 : count) + CODE_W'(word <= sum);
      last_first <= first_2;
      last_level <= level_2;
      last_word <= word;
      last_sum <= sum;
    end
    if (age >= 3'd3 && copy_2) begin
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
    // before the first compare nothing is known of a code
    if (age >= 3'd3 && valid_2 && last_2 && !first_2) assume (begun);
  end

  logic copies, decides;
  assign copies = dut.gen_memory[Memory].gen_channel[Lane].copy_now;
  assign decides = dut.gen_memory[Memory].gen_channel[Lane].decide;
  always_comb begin
    if (age >= 3'd2) begin
      same_decide : assert (decides == (valid_2 && last_2));
      same_first : assert (dut.first_now == first_2);
      same_copy : assert (copies == copy_2);
      same_level : assert (dut.code_2 == level_2);
    end
    if (age >= 3'd1) begin
      same_next : assert (dut.compare_valid[1] == valid_1 && dut.compare_first[1] == first_1
          && dut.compare_high[1] == high_1 && dut.compare_last[1] == last_1
          && dut.copy[1] == copy_1 && dut.code_1 == level_1);
    end
    if (read_2) word_right : assert (part_shown
        == (Whole && of_high ? SHORT_W'(read_part_2[AccW-SHORT_W-1:0]) : read_part_2));
    if (begun || shown) begun_late : assert (age > 3'd3);
    if (age >= 3'd1 && age <= 3'd3) quiet_1 : assert (!valid_1);
    if (age >= 3'd2 && age <= 3'd4) quiet_2 : assert (!valid_2);
    if (age == '0) known_late : assert (!known && !read_1 && !read_2);
    if (begun) begin
      code_counts : assert (
          dut.gen_memory[Memory].gen_channel[Lane].gen_code[Pixel].code == count);
      count_whole : assert (last_word > last_sum || count == last_level);
      count_most : assert (count <= last_level);
      count_first : assert (!last_first
          || (last_level == CODE_W'(1) && count == CODE_W'(last_word <= last_sum)));
    end
    if (shown) code_shown : assert (code == shown_code);
    cover_three : cover (shown && shown_code == 8'd3 && last_level == 8'd5);
    cover_none : cover (shown && shown_code == 8'd0);
    cover_read : cover (read_2 && of_high && read_part_2 == 18'h1234);
  end
  if (Whole) begin : gen_whole
    for (genvar k = 0; k < 2; k++) begin : gen_store
      always_comb begin
        if (known && of_high == 1'(k)) begin
          word_held : assert (dut.gen_memory[Memory].gen_store[k].u_thresholds.mem[place]
              [Lane*SHORT_W+:SHORT_W] == stored);
        end
        if (read_1 && of_high == 1'(k)) begin
          word_read : assert (dut.gen_memory[Memory].gen_store[k].part[Lane*SHORT_W+:SHORT_W]
              == read_part_1);
        end
      end
    end
  end else begin : gen_parts
    always_comb begin
      if (known) begin
        word_held : assert (dut.gen_memory[Memory].gen_store[0].u_thresholds.mem[{place, of_high}]
            [Lane*SHORT_W+:SHORT_W] == stored);
      end
      if (read_1) begin
        word_read : assert (dut.gen_memory[Memory].gen_store[0].part[Lane*SHORT_W+:SHORT_W]
            == read_part_1);
      end
      if (age >= 3'd2) begin
        same_high : assert (dut.gen_memory[Memory].gen_channel[Lane].gen_parts.high[Pixel/2] == high_2);
        same_alone : assert (dut.gen_memory[Memory].gen_channel[Lane].gen_parts.alone
            == (!valid_2 || last_2));
      end
      if (age >= 3'd3) begin
        below_right : assert (
            dut.gen_memory[Memory].gen_channel[Lane].gen_parts.gen_sum[Pixel].below
            == (!was_low || low_sum[SHORT_W-1:0] >= low_part));
      end
      if (was_low) was_late : assert (age > 3'd3);
      cover_two : cover (was_low && compares && word == Width'(32'h51235) && sum == Width'(32'h51235));
    end
  end
endmodule
