// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/conv/conv.hpp"

#include "qnn/beats.hpp"
#include "qnn/conv.hpp"

namespace {

void layer(const qnn::Command command, ap_uint<32> words_out, hls::stream<qnn::Beat> &in,
           hls::stream<qnn::Beat> &out) {
#pragma HLS DATAFLOW
  hls::stream<qnn::Word> words("words"), packed("packed");
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=packed depth=16
  qnn::receive(in, words);
  qnn::conv<Fold>(command, words, packed);
  qnn::send(words_out, packed, out);
}

}  // namespace

void conv(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
  const qnn::Command command = qnn::read_command(in);
  layer(command, qnn::out_words<Fold>(command), in, out);
}
