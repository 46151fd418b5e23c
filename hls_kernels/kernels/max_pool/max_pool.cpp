// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/max_pool/max_pool.hpp"

#include "qnn/beats.hpp"
#include "qnn/max_pool.hpp"

namespace {

void pooled(const qnn::Command command, ap_uint<32> pixels_in, ap_uint<32> pixels_out,
            ap_uint<32> words_out, hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS DATAFLOW
  hls::stream<qnn::Word> words("words"), packed("packed");
  hls::stream<qnn::Results<Fold>> codes("codes"), largest("largest");
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=packed depth=16
#pragma HLS STREAM variable=codes depth=16
#pragma HLS STREAM variable=largest depth=16
  qnn::receive(in, words);
  qnn::gather<Fold, 8>(pixels_in, words, codes);
  qnn::max_pool<Fold>(command, codes, largest);
  qnn::scatter<Fold, 8>(pixels_out, largest, packed);
  qnn::send(words_out, packed, out);
}

}  // namespace

void max_pool(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
  const qnn::Command command = qnn::read_command(in);
  const ap_uint<32> pixels_in = command.tiles * qnn::pixels_of(command);
  const ap_uint<32> pixels_out =
      ap_uint<32>(command.tiles) * command.out_rows * command.out_columns;
  pooled(command, pixels_in, pixels_out, pixels_out * (Fold::Pe / 8), in, out);
}
