// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/pack/pack.hpp"

#include "qnn/beats.hpp"
#include "qnn/pack.hpp"

namespace {

/// Codes or sums, pixel by pixel.
void collect(const qnn::Command command, hls::stream<qnn::Word> &words,
             hls::stream<qnn::Results<Fold>> &results) {
  const ap_uint<32> pixels = ap_uint<32>(command.tiles) * command.out_rows * command.out_columns;
  if (command.raw) {
    qnn::gather<Fold, 32>(pixels, words, results);
  } else {
    qnn::gather<Fold, 8>(pixels, words, results);
  }
}

void packed(const qnn::Command command, ap_uint<32> words_out, hls::stream<qnn::Beat> &in,
            hls::stream<qnn::Beat> &out) {
#pragma HLS DATAFLOW
  hls::stream<qnn::Word> words("words"), map("map");
  hls::stream<qnn::Results<Fold>> results("results");
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=map depth=16
#pragma HLS STREAM variable=results depth=16
  qnn::receive(in, words);
  collect(command, words, results);
  qnn::pack<Fold>(command, results, map);
  qnn::send(words_out, map, out);
}

}  // namespace

void pack(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
  const qnn::Command command = qnn::read_command(in);
  packed(command, qnn::out_words<Fold>(command), in, out);
}
