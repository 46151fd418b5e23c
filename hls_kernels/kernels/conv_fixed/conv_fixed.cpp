// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/conv_fixed/conv_fixed.hpp"

#include "qnn/beats.hpp"
#include "qnn/conv.hpp"

namespace {

void layer(ap_uint<32> words_out, hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS DATAFLOW
  hls::stream<qnn::Word> words("words"), packed("packed");
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=packed depth=16
  qnn::receive(in, words);
  qnn::conv<Fold>(FixedLayer(), words, packed);
  qnn::send(words_out, packed, out);
}

}  // namespace

void conv_fixed(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
  layer(qnn::out_words<Fold>(FixedLayer()), in, out);
}
