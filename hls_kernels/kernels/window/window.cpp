// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/window/window.hpp"

#include "qnn/beats.hpp"
#include "qnn/window.hpp"

namespace {

void one_by_one(ap_uint<32> groups, hls::stream<qnn::Pieces<Fold>> &pieces,
                hls::stream<qnn::Word> &words) {
  for (ap_uint<32> i = 0; i < groups; ++i) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=65536
    const qnn::Pieces<Fold> piece = pieces.read();
    for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS PIPELINE II=1
      words.write(piece.piece[m]);
    }
  }
}

void windows(const qnn::Command command, ap_uint<32> steps, ap_uint<32> words_out,
             hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS DATAFLOW
  hls::stream<qnn::Word> map("map"), words("words");
  hls::stream<qnn::Pieces<Fold>> pieces("pieces");
#pragma HLS STREAM variable=map depth=16
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=pieces depth=16
  qnn::receive(in, map);
  qnn::window<Fold>(command, map, pieces);
  one_by_one(steps, pieces, words);
  qnn::send(words_out, words, out);
}

}  // namespace

void window(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
  const qnn::Command command = qnn::read_command(in);
  const ap_uint<32> steps =
      command.tiles * qnn::groups_of<Fold>(command) * qnn::steps_of<Fold>(command);
  windows(command, steps, steps * Fold::Pixels, in, out);
}
