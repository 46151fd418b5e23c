// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/pass_walk.hpp"
#include "qnn/shape.hpp"
#include "qnn/types.hpp"

namespace qnn {

/// The input map on chip: for each of the Pixels readers a copy, of which it reads any 64 bits.
///
/// A copy is a string of bytes in 16 lanes, byte a in lane a % 16: whatever 9 bytes are read and
/// whatever 8 are written, no lane is needed twice. One lane is one block RAM.
template <class Fold>
using WindowBuffer = ap_uint<8>[Fold::Pixels][16][Fold::WindowWords / 2];

/// Address of a byte, and of four bits, in a copy; they wrap around.
template <class Fold>
using ByteAddress = ap_uint<width_for(Fold::WindowWords * 8 - 1)>;
template <class Fold>
using NibbleAddress = ap_uint<width_for(Fold::WindowWords * 16 - 1)>;

/// Byte i of `data` to address first + i where enable[i] is 1, in all copies.
template <class Fold>
void write_bytes(ByteAddress<Fold> first, Word data, ap_uint<8> enable,
                 WindowBuffer<Fold> &buffer) {
#pragma HLS INLINE
  for (unsigned lane = 0; lane < 16; ++lane) {
#pragma HLS UNROLL
    const ap_uint<4> i = lane - first;
    const ByteAddress<Fold> place = first + i;
    if (i < 8 && enable[ap_uint<3>(i)]) {
      for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS UNROLL
        buffer[m][lane][place >> 4] = data >> (8 * i);
      }
    }
  }
}

/// The 64 bits from nibble `first` on, out of copy m.
template <class Fold>
Word read_word(NibbleAddress<Fold> first, unsigned m, const WindowBuffer<Fold> &buffer) {
#pragma HLS INLINE
  ap_uint<8> found[16];
#pragma HLS ARRAY_PARTITION variable=found type=complete
  const ByteAddress<Fold> from = first >> 1;
  for (unsigned lane = 0; lane < 16; ++lane) {
#pragma HLS UNROLL
    const ByteAddress<Fold> place = from + ap_uint<4>(lane - from);
    found[lane] = buffer[m][lane][place >> 4];
  }
  Word bits = 0;
  for (unsigned i = 0; i < 8; ++i) {
#pragma HLS UNROLL
    bits |= Word(found[ap_uint<4>(from + i)]) << (8 * i);
  }
  const Word beyond = found[ap_uint<4>(from + 8)];
  return first[0] ? Word((bits >> 4) | (beyond << 60)) : bits;
}

/// Reads one row of the input map, all planes, into the buffer from word `ring` on.
///
/// Tight rows: row_beats words as they are. Channel blocks: for each block, for each 64/Pe pixels,
/// for each plane one word, of whose pixels the first block_used bytes go side by side with those of
/// the other blocks; first_skip bytes of the first block and all but last_bytes of the last belong to
/// other groups; where drop_lowest the map has one more plane, the lowest, that is left out.
/// Cycles: one a word for tight rows, one a pixel and plane for blocks.
template <class Fold, class Shape>
void load_row(const Shape shape, ap_uint<13> ring, hls::stream<Word> &map,
              WindowBuffer<Fold> &buffer) {
#pragma HLS INLINE off
  using Byte = ByteAddress<Fold>;
  constexpr unsigned Chunk = Fold::Pe / 8;
  const Byte start = Byte(ring) << 3;
  if (shape.tight) {
    for (ap_uint<13> beat = 0; beat < shape.row_beats; ++beat) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=512
      write_bytes<Fold>(start + (Byte(beat) << 3), map.read(), 0xff, buffer);
    }
    return;
  }
  const ap_uint<20> chunks = ap_uint<20>(shape.row_beats) * Fold::Share;
  for (ap_uint<8> block = 0; block < shape.blocks; ++block) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    const bool first = block == 0, last = block + 1 == shape.blocks;
    const Byte block_byte = start + block * shape.block_used - shape.first_skip;
    ap_uint<7> share = 0;
    ap_uint<4> plane = 0;
    ap_uint<11> column = 0;
    Byte plane_byte = 0, group_byte = block_byte, pixel_byte = block_byte;
    Word word = 0;
    for (ap_uint<20> chunk = 0; chunk < chunks; ++chunk) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=2 max=2048
      if (share == 0) word = map.read();
      const bool dropped = shape.drop_lowest && plane == 0;
      ap_uint<8> enable = 0;
      for (unsigned i = 0; i < Chunk; ++i) {
#pragma HLS UNROLL
        enable[i] = !dropped && column + share < shape.in_columns && i < shape.block_used &&
                    !(first && i < shape.first_skip) && !(last && i >= shape.last_bytes);
      }
      write_bytes<Fold>(pixel_byte + plane_byte, word, enable, buffer);
      word = Fold::Pe < 64 ? Word(word >> (Fold::Pe % 64)) : word;
      pixel_byte += shape.pixel_bytes;
      if (++share == Fold::Share) {
        share = 0;
        if (!dropped) plane_byte += Byte(shape.plane_words) << 3;
        if (++plane == shape.planes + shape.drop_lowest) {
          plane = 0;
          plane_byte = 0;
          column += Fold::Share;
          group_byte = pixel_byte;
        }
        pixel_byte = group_byte;
      }
    }
  }
}

/// One output pixel, as the reader of its window needs it.
struct WindowPixel {
  ap_uint<13> ring;     // word of the buffer where the first row of the window begins
  ap_int<18> first;     // left edge of the window in its row, in nibbles
  ap_int<12> row;       // of the input, of the first row of the window
  ap_uint<1> present;   // the pixel exists
};

/// Windows of the convolution, Simd bits of Pixels output pixels a step.
///
///     for each tile
///       for each group of Pixels output pixels, along the flattened map
///         for each pass and plane (pass_walk.hpp), kernel row, Simd bits of that row    1 cycle
///
/// A row of a window is one string of kernel_columns * bits of a pixel; what lies outside the map
/// or beyond the string reads as 0. `map` is the input, row after row as load_row reads it: once,
/// or where shape.reload once for each tile, into a ring of ring_rows rows.
///
/// Cycles: steps as above, Pixels + some a group, and the rows (load_row), which come when the
/// first group needs them and not besides. Not synthesised yet.
template <class Fold, class Shape>
void window(const Shape shape, hls::stream<Word> &map, hls::stream<Pieces<Fold>> &pieces) {
  using Nibble = NibbleAddress<Fold>;
  constexpr unsigned StepNibbles = Fold::Simd / 4;
  WindowBuffer<Fold> buffer;
#pragma HLS ARRAY_PARTITION variable=buffer type=complete dim=1
#pragma HLS ARRAY_PARTITION variable=buffer type=complete dim=2
#pragma HLS BIND_STORAGE variable=buffer type=ram_s2p impl=bram
  const ap_uint<24> pixels = pixels_of(shape);
  const ap_uint<32> steps = steps_of<Fold>(shape);
  const ap_uint<12> row_steps = ap_uint<12>(shape.words) * Fold::Sub;

  for (ap_uint<8> tile = 0; tile < shape.tiles; ++tile) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    ap_uint<10> loaded = tile == 0 || shape.reload ? 0 : unsigned(shape.in_rows);
    ap_uint<13> ring = 0;  // where the next row goes
    ap_uint<10> column = 0;
    WindowPixel here;
    here.ring = shape.ring_start;
    here.first = ap_int<16>(shape.first_nibble);
    here.row = -ap_int<12>(shape.top);

    for (ap_uint<24> pixel = 0; pixel < pixels; pixel += Fold::Pixels) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=11000
      WindowPixel group[Fold::Pixels];
#pragma HLS ARRAY_PARTITION variable=group type=complete
      ap_int<13> need = 0;
      for (unsigned m = 0; m < Fold::Pixels; ++m) {
        here.present = pixel + m < pixels;
        group[m] = here;
        if (here.present) need = here.row + ap_int<13>(shape.kernel_rows);
        here.first += shape.step_nibbles;
        if (++column == shape.conv_columns) {
          column = 0;
          here.first = ap_int<16>(shape.first_nibble);
          here.row += shape.stride;
          here.ring = wrapped(shape, here.ring, shape.stride_words);
        }
      }
      const bool last = pixel + Fold::Pixels >= pixels;  // rows that no window needs are read too
      for (; loaded < shape.in_rows && (last || ap_int<13>(loaded) < need); ++loaded) {
#pragma HLS LOOP_TRIPCOUNT min=0 max=3
        load_row<Fold>(shape, ring, map, buffer);
        ring = wrapped(shape, ring, shape.row_words);
      }

      ap_uint<13> row[Fold::Pixels];
#pragma HLS ARRAY_PARTITION variable=row type=complete
      for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS UNROLL
        row[m] = group[m].ring;
      }
      PassWalk<Shape> walk(shape);
      ap_uint<5> kernel_row = 0;
      ap_uint<12> row_step = 0;
      for (ap_uint<32> step = 0; step < steps; ++step) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=1024
        Pieces<Fold> out;
        const bool row_end = row_step + 1 == row_steps;
        const bool pass_end = row_end && kernel_row + 1 == shape.kernel_rows;
        const ap_uint<13> plane_offset = walk.plane * ap_uint<13>(shape.plane_words);
        for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS UNROLL
          const ap_int<18> nibble = row_step * StepNibbles;  // of the window's row
          const ap_int<18> here_first = group[m].first + nibble;
          const ap_int<12> here_row = group[m].row + kernel_row;
          const bool inside = group[m].present && here_row >= 0 && here_row < shape.in_rows;
          const Nibble place = (Nibble(row[m] + plane_offset) << 4) + here_first;
          const Word bits = read_word<Fold>(place, m, buffer);
          for (unsigned n = 0; n < StepNibbles; ++n) {
#pragma HLS UNROLL
            const bool real = inside && here_first + n >= 0 &&
                              here_first + n < shape.row_nibbles &&
                              nibble + n < shape.window_nibbles;
            out.piece[m].range(4 * n + 3, 4 * n) =
                real ? ap_uint<4>(bits >> (4 * n)) : ap_uint<4>(0);
          }
          if (row_end) {
            row[m] = pass_end ? group[m].ring : wrapped(shape, row[m], shape.row_words);
          }
        }
        pieces.write(out);
        row_step = row_end ? ap_uint<12>(0) : ap_uint<12>(row_step + 1);
        if (row_end) kernel_row = pass_end ? ap_uint<5>(0) : ap_uint<5>(kernel_row + 1);
        if (pass_end) walk.next(shape);
      }
    }
  }
}

}  // namespace qnn
