// SPDX-License-Identifier: BSD-3-Clause
//
// Is this command one that the engine can run without leaving its buffers or waiting for ever?
//
// Of addresses only the alignment is looked at here: every burst is checked against the windows.
// Timing: bad_o is registered, one cycle after command_i.

module qnn_command_check
  import qnn_pkg::*;
  import qnn_regs_pkg::*;
#(
  parameter int unsigned Pe             = 32,
  parameter int unsigned Pixels         = 4,
  parameter int unsigned WeightWords    = 1024,
  parameter int unsigned ThresholdWords = 512,
  parameter int unsigned WindowWords    = 4096,
  parameter int unsigned PoolColumns    = 256,
  parameter int unsigned Requantiser    = 0
) (
  input  logic       clk_i,
  input  command_t   command_i,
  input  logic [7:0] index_i,
  output logic       bad_o
);
  localparam int unsigned Chunk = Pe / 8;

  logic        bad;
  logic [10:0] rows_kept;
  always_comb begin
    bad = command_i.opcode != OPCODE || command_i.index != index_i;
    bad = bad || command_i.planes == '0 || command_i.planes > 4'd8;
    bad = bad || command_i.passes == '0 || command_i.exponent >= command_i.passes;
    bad = bad || command_i.kernel_rows == '0 || 32'(command_i.kernel_rows) > KERNEL_ROWS;
    bad = bad || command_i.stride == '0 || command_i.stride > 3'd4;
    bad = bad || command_i.words == '0 || command_i.window_nibbles == '0;
    bad = bad || command_i.in_rows == '0 || command_i.in_columns == '0;
    bad = bad || command_i.conv_rows == '0 || command_i.conv_columns == '0;
    bad = bad || command_i.out_rows == '0 || command_i.out_columns == '0;
    bad = bad || command_i.in_address[2:0] != '0 || command_i.block_bytes[2:0] != '0
        || command_i.params_address[2:0] != '0 || command_i.out_address[2:0] != '0;
    // output
    bad = bad || command_i.pool_size == '0 || command_i.pool_stride == '0
        || command_i.pool_stride == 2'd3 || command_i.pool_top >= command_i.pool_size
        || command_i.pool_left >= command_i.pool_size;
    bad = bad || 11'(command_i.walk_rows) < 11'(command_i.conv_rows) + 11'(command_i.pool_top)
        || 11'(command_i.walk_columns) < 11'(command_i.conv_columns) + 11'(command_i.pool_left);
    bad = bad || (command_i.pool_size != 2'd1 && 32'(command_i.out_columns) > PoolColumns);
    if (command_i.raw) begin
      bad = bad || command_i.thresholds != '0 || command_i.pool_size != 2'd1;
    end else begin
      bad = bad || command_i.thresholds == '0 || command_i.out_planes == '0
          || command_i.out_planes > 4'd8;
    end
    // parameters
    bad = bad || command_i.tiles == '0 || command_i.tile_words == '0
        || 32'(command_i.tile_words) > WeightWords || 32'(command_i.thresholds) > ThresholdWords;
    // window buffer: the whole map, or the rows that a group of pixels can touch
    rows_kept = 11'(command_i.kernel_rows) + {7'b0, command_i.stride, 1'b0};
    bad = bad || command_i.plane_words == '0 || command_i.row_beats == '0
        || command_i.row_words < command_i.plane_words
        || command_i.ring_words < command_i.row_words
        || 32'(command_i.ring_words) > WindowWords
        || command_i.stride_words >= command_i.ring_words
        || command_i.pass_step >= command_i.ring_words
        || command_i.ring_start >= command_i.ring_words;
    if (command_i.reload) begin
      bad = bad || 11'(command_i.ring_rows) < rows_kept
          || 32'(command_i.conv_columns) < Pixels;
    end else begin
      bad = bad || command_i.ring_rows < command_i.in_rows;
    end
    if (command_i.tight) begin
      bad = bad || command_i.row_beats != command_i.row_words;
    end else begin
      bad = bad || command_i.blocks == '0 || command_i.pixel_bytes == '0
          || command_i.block_used == '0 || 32'(command_i.block_used) > Chunk
          || 4'(command_i.first_skip) >= command_i.block_used || command_i.last_bytes == '0
          || command_i.last_bytes > command_i.block_used;
    end
    if (command_i.word_products) begin
      bad = bad || !command_i.tight || command_i.raw || command_i.wide_sums
          || command_i.planes != 4'd1
          || command_i.exponent != '0 || 32'(command_i.passes) > Pe / GROUP_PE;
      // a pass has a product row for each pixel whose sums leave the bank in turn
      for (int unsigned rows = 1; rows < Pixels; rows++) begin
        bad = bad || (32'(command_i.kernel_rows) == rows
            && 32'(command_i.words) < (Pixels + rows - 1) / rows);
      end
    end else begin
      bad = bad || command_i.word_unsigned;
    end
    bad = bad || (command_i.drop_lowest && command_i.tight);
    if (command_i.requantise) begin
      bad = bad || Requantiser == 0 || command_i.raw || command_i.word_products
          || 32'(command_i.thresholds) != REQUANT_WORDS * Pe / GROUP_PE;
    end
    bad = bad || (command_i.short_sums
        && (command_i.raw || command_i.requantise || command_i.wide_sums));
    // what has no meaning must be 0
    bad = bad || command_i.unused_3 != '0
        || command_i.unused_5 != '0 || command_i.unused_6 != '0
        || command_i.unused_7 != '0 || command_i.unused_0 != '0;
  end
  always_ff @(posedge clk_i) bad_o <= bad;
endmodule
