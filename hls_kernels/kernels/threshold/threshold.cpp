// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/threshold/threshold.hpp"

#include "qnn/beats.hpp"
#include "qnn/threshold.hpp"

namespace {

/// Thresholds and sums of each tile apart; the sums in groups of pixels.
void part(const qnn::Command command, hls::stream<qnn::Word> &words,
          hls::stream<qnn::Word> &thresholds, hls::stream<qnn::Sums<Fold>> &sums) {
  const ap_uint<24> pixels = qnn::pixels_of(command);
  const ap_uint<20> of_thresholds = qnn::threshold_words<Fold>(command);
  for (ap_uint<8> tile = 0; tile < command.tiles; ++tile) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    qnn::pass(of_thresholds, words, thresholds);
    for (ap_uint<24> pixel = 0; pixel < pixels; pixel += Fold::Pixels) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=11000
      qnn::Sums<Fold> group;
      for (unsigned m = 0; m < Fold::Pixels; ++m) {
        for (unsigned p = 0; p < Fold::Pe; p += 2) {
#pragma HLS PIPELINE II=1
          const qnn::Word two = pixel + m < pixels ? words.read() : qnn::Word(0);
          group.sum[m][p] = two;
          group.sum[m][p + 1] = two >> 32;
        }
      }
      sums.write(group);
    }
  }
}

void codes(const qnn::Command command, ap_uint<32> pixels, ap_uint<32> words_out,
           hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS DATAFLOW
  hls::stream<qnn::Word> words("words"), thresholds("thresholds"), packed("packed");
  hls::stream<qnn::Sums<Fold>> sums("sums");
  hls::stream<qnn::Results<Fold>> results("results");
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=thresholds depth=16
#pragma HLS STREAM variable=packed depth=16
#pragma HLS STREAM variable=sums depth=2
#pragma HLS STREAM variable=results depth=16
  qnn::receive(in, words);
  part(command, words, thresholds, sums);
  qnn::threshold<Fold>(command, thresholds, sums, results);
  qnn::scatter<Fold, 8>(pixels, results, packed);
  qnn::send(words_out, packed, out);
}

}  // namespace

void threshold(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
  const qnn::Command command = qnn::read_command(in);
  const ap_uint<32> pixels = command.tiles * qnn::pixels_of(command);
  codes(command, pixels, pixels * (Fold::Pe / 8), in, out);
}
