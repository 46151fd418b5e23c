// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/max_pool/max_pool.hpp"

#include "qnn/beats.hpp"
#include "qnn/max_pool.hpp"

namespace {

void pooled(const qnn::Command command, hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS DATAFLOW
  hls::stream<qnn::Word> words("words"), packed("packed");
  hls::stream<qnn::Results<Fold>> codes("codes"), largest("largest");
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=packed depth=16
#pragma HLS STREAM variable=codes depth=16
#pragma HLS STREAM variable=largest depth=16
  const ap_uint<32> of_in = ap_uint<32>(command.tiles) * command.conv_rows * command.conv_columns;
  const ap_uint<32> of_out = ap_uint<32>(command.tiles) * command.out_rows * command.out_columns;
  qnn::receive(in, words);
  qnn::gather<Fold, 8>(of_in, words, codes);
  qnn::max_pool<Fold>(command, codes, largest);
  qnn::scatter<Fold, 8>(of_out, largest, packed);
  qnn::send(of_out * (Fold::Pe / 8), packed, out);
}

}  // namespace

void max_pool(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
  pooled(qnn::read_command(in), in, out);
}
