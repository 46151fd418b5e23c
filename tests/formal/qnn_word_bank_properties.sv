// SPDX-License-Identifier: BSD-3-Clause
//
// qnn_word_bank with qnn_word_sum, of one channel and one pixel, any: the four products of a word are of its
// weights and of the numbers of its window, whatever comes before or behind it; the sum of those of a pass
// is exact modulo 2^WORD_ACC_W; sums_o has (sum >> WORD_SHIFT) + 2^(SUM_W-1) from the tenth cycle after the
// last word on, two pixels a cycle, of all channels together, and 0 else, but for the cycle after a reset.
// With them come the number of the pass, which pixels they are, and whether they are the last ones.
//
// How to multiply is not proven: what a product of two numbers is, the solver chooses, the same for the same
// two. Proven is which numbers are multiplied, signed or not, and all that is made of the products.
//
// Assumed: a pass has at least Pixels words; first_i is high in its first word only, also after a reset;
// unsigned_i stays as it is from the cycle before a word to three cycles later.

module qnn_word_bank_properties
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter  int unsigned Pixels  = 2,
  parameter  int unsigned Channel = 0,
  parameter  int unsigned Pixel   = 1,
  localparam int unsigned Pairs   = Pixels / 2,
  localparam int unsigned PairW   = (Pairs > 1) ? $clog2(Pairs) : 1,
  localparam int unsigned WordsW  = GROUP_PE * 2 * SUM_W
) (
  input logic                     clk_i,
  input logic                     rst_i,
  input logic                     unsigned_i,
  input logic                     valid_i,
  input logic                     first_i,
  input logic                     last_i,
  input logic                     end_i,
  input logic [GROUP_PE*SIMD-1:0] weights_i,
  input logic [Pixels*SIMD-1:0]   act_i
);
  localparam int unsigned Numbers = SIMD / 16;
  localparam int unsigned LowW = WORD_ACC_W / 2;

  logic              valid, last;
  logic [2:0]        group;
  logic [PairW-1:0]  pair;
  logic [WordsW-1:0] sums;
  qnn_word_bank #(
    .Pixels(Pixels)
  ) dut (
    .clk_i, .rst_i, .unsigned_i, .valid_i, .first_i, .last_i, .end_i, .weights_i, .act_i,
    .valid_o(valid), .group_o(group), .pair_o(pair), .last_o(last), .sums_o(sums)
  );

  // the environment
  logic                        begun = 1'b0, resets, unsigned_q, begins;
  logic [$clog2(Pixels+1)-1:0] words;                  // of this pass so far, Pixels of more
  logic [7:0]                  in_valid = '0, in_first;  // so many cycles ago, less 1
  logic [3:0]                  age = '0;
  always_ff @(posedge clk_i) begin
    begun <= 1'b1;
    resets <= rst_i;
    unsigned_q <= unsigned_i;
    if (valid_i) begin
      begins <= last_i;
      words <= last_i ? '0 : words == ($bits(words))'(Pixels) ? words : words + 1'b1;
    end
    if (rst_i) {begins, words} <= {1'b1, ($bits(words))'(0)};
    in_valid <= {in_valid[6:0], valid_i && begun};
    in_first <= {in_first[6:0], first_i};
    if (age != '1) age <= age + 1'b1;
  end
  always_comb begin
    if (!begun) assume (rst_i);
    if (valid_i) begin
      assume (first_i == begins);
      assume (!last_i || 32'(words) + 1 >= Pixels);
    end
    if (begun && (valid_i || in_valid[0] || in_valid[1] || in_valid[2])) begin
      assume (unsigned_i == unsigned_q);
    end
  end

  // the operands of the channel and the pixel, and what they are multiplied to
  logic [SIMD-1:0]         weight_q [4], act_q [4];    // of so many cycles ago, less 1
  logic                    unsigned_then [4];
  logic signed [32:0]      product [Numbers];
  logic signed [34:0]      late [Numbers][4];          // products so many cycles later
  logic signed [15:0]      own_weight [Numbers];
  logic signed [16:0]      own_act [Numbers];
  logic signed [32:0]      own_product [Numbers];
  logic signed [34:0]      chain [Numbers];
  always_ff @(posedge clk_i) begin
    weight_q[0] <= weights_i[Channel*SIMD+:SIMD];
    act_q[0] <= act_i[Pixel*SIMD+:SIMD];
    unsigned_then[0] <= unsigned_i;
    for (int i = 1; i < 4; i++) begin
      weight_q[i] <= weight_q[i-1];
      act_q[i] <= act_q[i-1];
      unsigned_then[i] <= unsigned_then[i-1];
    end
    for (int j = 0; j < int'(Numbers); j++) begin
      late[j][0] <= 35'(product[j]);
      for (int i = 1; i < 4; i++) late[j][i] <= late[j][i-1];
    end
  end
  for (genvar j = 0; j < Numbers; j++) begin : gen_number
    assign own_weight[j] = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.gen_product[j].weight;
    assign own_act[j] = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.gen_product[j].act;
    assign own_product[j] = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.gen_product[j].product;
    assign chain[j] = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.gen_product[j].chain;
    // Yosys makes one cell of two that multiply the same: see factor_product
    always_ff @(posedge clk_i) product[j] <= own_weight[j] * own_act[j];
    logic [15:0] weight_then, act_then;
    assign weight_then = weight_q[j][16*j+:16];
    assign act_then = act_q[j][16*j+:16];
    always_comb begin
      if (begun && in_valid[j]) begin
        factor_weight : assert (own_weight[j] == weight_then);
        factor_act : assert (own_act[j] == {act_then[15] && !unsigned_then[j], act_then});
      end
      if (begun) factor_product : assert (own_product[j] == product[j]);
    end
    if (j > 0) begin : gen_late
      logic [16*j-1:0] weight_line, act_line;
      logic            weights_wait, acts_wait;
      assign weight_line = dut.gen_weight[Channel].u_skew.gen_number[j].line;
      assign act_line = dut.gen_act[Pixel].u_skew.gen_number[j].line;
      always_comb begin
        {weights_wait, acts_wait} = '1;
        for (int i = 0; i < j; i++) begin
          weights_wait = weights_wait
              && (!in_valid[i] || weight_line[16*i+:16] == weight_q[i][16*j+:16]);
          acts_wait = acts_wait && (!in_valid[i] || act_line[16*i+:16] == act_q[i][16*j+:16]);
        end
        if (begun) begin
          skew_weight : assert (weights_wait);
          skew_act : assert (acts_wait);
        end
      end
    end
  end
  logic unsigned_stays;
  always_comb begin
    unsigned_stays = 1'b1;
    for (int i = 0; i < 3; i++) begin
      unsigned_stays = unsigned_stays && (!in_valid[i] || unsigned_q == unsigned_then[i]);
    end
  end

  // the exact sum: from the sixth cycle of a word on it is in
  logic signed [34:0]           word_total, added, added_1;
  logic signed [WORD_ACC_W-1:0] acc, acc_1, acc_2, base;  // now, a cycle ago, two
  logic [2:0]                   known = '0;               // likewise: a sum has begun
  assign word_total = late[0][2] + late[1][1] + late[2][0] + 35'(product[3]);
  always_ff @(posedge clk_i) begin
    {added, added_1} <= {word_total, added};
    if (in_valid[4]) acc <= (in_first[4] ? '0 : acc) + WORD_ACC_W'(word_total);
    {acc_1, acc_2} <= {acc, acc_1};
    known <= {known[1:0], known[0] || (in_valid[4] && in_first[4])};
  end

  // the passes that are on their way; group: their number, for these pixels
  typedef struct packed {
    logic       last;
    logic       ending;
    logic [2:0] group;
  } pass_t;
  pass_t            pass [8];
  pass_t            shown_pass;                        // whose sum is shown
  logic [SUM_W-1:0] shown;
  logic             whole = 1'b0;                      // it was followed from its first word on
  logic [2:0]       shown_for;                         // cycles since, 7 of more
  logic [2:0]       group_now;
  always_ff @(posedge clk_i) begin
    pass[0] <= '{last: valid_i && last_i && !rst_i, ending: end_i, group: group_now};
    for (int i = 1; i < 8; i++) begin
      pass[i] <= pass[i-1];
      if (rst_i) pass[i].last <= 1'b0;
    end
    if (valid_i && last_i) group_now <= end_i ? '0 : group_now + 1'b1;
    if (shown_for != '1) shown_for <= shown_for + 1'b1;
    if (pass[7].last) begin
      shown_pass <= pass[7];
      shown_for <= '0;
      whole <= known[2];
      shown <= SUM_W'(acc_2 >>> WORD_SHIFT) + {1'b1, (SUM_W - 1)'(0)};
    end
    if (resets) whole <= 1'b0;                         // the one whose end was dropped may show
    if (rst_i) {group_now, shown_for} <= {3'd0, 3'd7};
  end

  // what comes out, a cycle later
  logic             due, due_whole;
  logic [2:0]       due_pair;
  logic [SUM_W-1:0] due_sum;
  pass_t            due_pass;
  always_ff @(posedge clk_i) begin
    due <= 32'(shown_for) < Pairs && !rst_i;
    {due_pair, due_sum, due_pass, due_whole} <= {shown_for, shown, shown_pass, whole};
  end

  // what the module has of it
  logic                own_carry;
  logic [LowW-1:0]     own_low, own_high, own_high_added;
  logic [1:0]          own_valid, own_first;
  logic [SUM_W-1:0]    own_sum;
  logic [LowW-1:WORD_SHIFT] own_low_late;
  logic                own_last;
  assign own_carry = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.carry;
  assign own_low = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.low;
  assign own_low_late = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.low_late;
  assign own_high = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.high;
  assign own_high_added = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.high_added;
  assign own_valid = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.valid;
  assign own_first = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.first;
  assign own_last = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.last;
  assign own_sum = dut.gen_channel[Channel].gen_pixel[Pixel].u_sum.sum_o;

  logic       flags, begins_right, last_after, last_valid, passes, none, ends, groups, apart;
  logic [2:0] next_group;
  assign base = in_first[6] ? '0 : acc_2;
  always_comb begin
    {flags, begins_right, last_after, last_valid, passes, none, ends, groups, apart} = '1;
    for (int i = 0; i < 5; i++) begin
      flags = flags && (32'(age) <= i + 1
          || (dut.valid[i] == in_valid[i] && dut.first[i] == in_first[i]));
    end
    // there is a first word before each one
    for (int i = 4; i >= 0; i--) begin
      begins_right = begins_right
          && (known[0] || !in_valid[i] || ((in_valid & in_first & 8'h1f) >> i) != '0);
    end
    next_group = dut.reading ? (shown_pass.ending ? '0 : shown_pass.group + 1'b1) : dut.group;
    for (int i = 7; i >= 0; i--) begin
      passes = passes && dut.last[i] == pass[i].last;
      none = none && !pass[i].last;
      ends = ends && (!pass[i].last || dut.ending[i] == pass[i].ending);
      last_valid = last_valid && (!pass[i].last || in_valid[i]);
      last_after = last_after && (!pass[i].last || 32'(words) <= i);
      for (int k = 0; k < i; k++) begin
        apart = apart && (!pass[i].last || !pass[k].last || i - k >= Pixels);
      end
      apart = apart && (!pass[i].last || shown_for == '1 || 32'(shown_for) + 8 - i >= Pixels);
      if (pass[i].last) begin
        groups = groups && pass[i].group == next_group;
        next_group = pass[i].ending ? '0 : pass[i].group + 1'b1;
      end
    end
  end

  always_comb begin
    first_none : assert (begun || (age == '0 && in_valid == '0 && known == '0 && !whole));
    if (begun) begin
      skew_unsigned : assert (unsigned_stays);
      skew_copy : assert (dut.gen_channel[Channel].own_unsigned == unsigned_q);
      first_flags : assert (flags);
      first_before : assert (begins_right
          && (begins || known[0] || (in_valid & in_first & 8'h1f) != '0));
      first_known : assert ((known[0] || !in_valid[5]) && (known[1] || !in_valid[6])
          && (known[2] || !in_valid[7]) && (known[1] || !known[0] || in_valid[5] && in_first[5])
          && (known[2] || !known[1] || in_valid[6] && in_first[6]) && known[0] >= known[1]
          && known[1] >= known[2]);
      first_age : assert ((!known[0] || age >= 4'd7) && (!known[1] || age >= 4'd8) && age != '0
          && (age > 4'd8 || (in_valid >> (age - 1'b1)) == '0));
      if (age >= 4'd7) flags_low : assert ({own_valid[0], own_first[0]} == {in_valid[5], in_first[5]});
      if (age >= 4'd8) flags_high : assert ({own_valid[1], own_first[1]} == {in_valid[6], in_first[6]});
      if (in_valid[2]) chain_0 : assert (chain[0] == late[0][0]);
      if (in_valid[3]) chain_1 : assert (chain[1] == late[0][1] + late[1][0]);
      if (in_valid[4]) chain_2 : assert (chain[2] == late[0][2] + late[1][1] + late[2][0]);
      if (in_valid[5]) chain_3 : assert (chain[3] == added);
      if (known[0]) begin
        sum_now : assert (acc
            == (in_valid[5] ? (in_first[5] ? '0 : acc_1) + WORD_ACC_W'(added) : acc_1));
      end
      if (known[1]) begin
        sum_low : assert (own_low == acc_1[LowW-1:0]);
        if (in_valid[6]) begin
          sum_carry : assert ({own_carry, own_low}
              == {1'b0, added_1[LowW-1:0]} + {1'b0, base[LowW-1:0]});
          sum_high_added : assert (own_high_added == LowW'(added_1 >>> LowW));
        end
        sum_late : assert (acc_1 == (in_valid[6] ? base + WORD_ACC_W'(added_1) : acc_2));
      end
      if (known[2]) begin
        sum_high : assert (own_high == acc_2[WORD_ACC_W-1:LowW]);
        sum_low_late : assert (own_low_late == acc_2[LowW-1:WORD_SHIFT]);
      end
      pass_last : assert (passes && (own_last == pass[7].last || resets));
      pass_end : assert (ends);
      pass_none : assert (!resets || (none && shown_for == '1));
      pass_words : assert (last_valid && last_after && apart && 32'(words) <= Pixels);
      pass_group : assert (groups && next_group == group_now);
      read_now : assert (dut.reading == (32'(shown_for) < Pairs));
      if (dut.reading) begin
        read_what : assert (32'(dut.pair) == 32'(shown_for) && dut.at_end == shown_pass.ending
            && dut.group == shown_pass.group);
        read_whole : assert (whole);
      end
      if (whole) read_sum : assert (own_sum == shown);
      time_valid : assert (valid == due);
      if (due) begin
        time_pair : assert (32'(pair) == 32'(due_pair));
        time_group : assert (group == due_pass.group);
        time_last : assert (last == (due_pass.ending && 32'(due_pair) == Pairs - 1));
        value_known : assert (due_whole);
        if (32'(due_pair) == Pixel / 2) begin
          value_sum : assert (sums[(2*Channel+Pixel%2)*SUM_W+:SUM_W] == due_sum);
        end
      end else if (!resets) begin
        value_none : assert (sums == '0);
      end
    end
    cover_second : cover (due && due_pass.group == 3'd1 && due_pass.ending);
    cover_later : cover (due && due_pass.group == 3'd1 && in_valid == '0);
  end
  for (genvar c = 0; c < GROUP_PE; c++) begin : gen_read
    always_comb begin
      if (begun) begin
        read_pair : assert ({dut.gen_channel[c].own_reading, dut.gen_channel[c].own_pair}
            == {dut.reading, dut.pair});
      end
    end
  end
endmodule
