// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "qnn/shape.hpp"
#include "qnn/types.hpp"

// Between AXI4-Streams and what the kernels hand to each other.

namespace qnn {

/// The command at the head of a frame.
inline Command read_command(hls::stream<Beat> &in) {
#pragma HLS INLINE off
  Word beats[Command::Beats];
  for (unsigned i = 0; i < Command::Beats; ++i) {
#pragma HLS PIPELINE II=1
    beats[i] = in.read().data;
  }
  return Command::decode(beats);
}

/// The rest of a frame, word by word, up to its TLAST.
inline void receive(hls::stream<Beat> &in, hls::stream<Word> &words) {
  bool last = false;
  while (!last) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=65536
    const Beat beat = in.read();
    words.write(beat.data);
    last = beat.last;
  }
}

/// `count` words as one frame.
inline void send(ap_uint<32> count, hls::stream<Word> &words, hls::stream<Beat> &out) {
  for (ap_uint<32> i = 0; i < count; ++i) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=65536
    Beat beat;
    beat.data = words.read();
    beat.keep = 0xff;
    beat.strb = 0xff;
    beat.last = i + 1 == count;
    out.write(beat);
  }
}

/// Words to vectors of Pe values of `Width` bits each (8: codes, 32: sums); channel 0 first and
/// low.
template <class Fold, unsigned Width>
void gather(ap_uint<32> pixels, hls::stream<Word> &words, hls::stream<Results<Fold>> &results) {
  constexpr unsigned Values = 64 / Width;
  for (ap_uint<32> pixel = 0; pixel < pixels; ++pixel) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=43264
    Results<Fold> out;
    for (unsigned p = 0; p < Fold::Pe; p += Values) {
#pragma HLS PIPELINE II=1
      const Word word = words.read();
      for (unsigned i = 0; i < Values; ++i) {
#pragma HLS UNROLL
        out.value[p + i] = ap_uint<Width>(word >> (i * Width));
      }
    }
    results.write(out);
  }
}

/// The reverse of `gather`.
template <class Fold, unsigned Width>
void scatter(ap_uint<32> pixels, hls::stream<Results<Fold>> &results, hls::stream<Word> &words) {
  constexpr unsigned Values = 64 / Width;
  for (ap_uint<32> pixel = 0; pixel < pixels; ++pixel) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=43264
    const Results<Fold> in = results.read();
    for (unsigned p = 0; p < Fold::Pe; p += Values) {
#pragma HLS PIPELINE II=1
      Word word = 0;
      for (unsigned i = 0; i < Values; ++i) {
#pragma HLS UNROLL
        word |= Word(ap_uint<Width>(in.value[p + i])) << (i * Width);
      }
      words.write(word);
    }
  }
}

/// Words on to another stream.
inline void pass(ap_uint<32> count, hls::stream<Word> &in, hls::stream<Word> &out) {
  for (ap_uint<32> i = 0; i < count; ++i) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=65536
    out.write(in.read());
  }
}

}  // namespace qnn
