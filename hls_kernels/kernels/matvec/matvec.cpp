// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/matvec/matvec.hpp"

#include "qnn/beats.hpp"
#include "qnn/matvec.hpp"

namespace {

/// Weights and windows of each tile apart.
void part(const qnn::Command command, hls::stream<qnn::Word> &words,
          hls::stream<qnn::Word> &weights, hls::stream<qnn::Pieces<Fold>> &pieces) {
  const ap_uint<32> steps = qnn::groups_of<Fold>(command) * qnn::steps_of<Fold>(command);
  const ap_uint<20> of_weights = qnn::weight_words<Fold>(command);
  for (ap_uint<8> tile = 0; tile < command.tiles; ++tile) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    qnn::pass(of_weights, words, weights);
    for (ap_uint<32> i = 0; i < steps; ++i) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=65536
      qnn::Pieces<Fold> piece;
      for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS PIPELINE II=1
        piece.piece[m] = words.read();
      }
      pieces.write(piece);
    }
  }
}

/// The sums of pixels that exist, pixel by pixel.
void one_by_one(const qnn::Command command, hls::stream<qnn::Sums<Fold>> &sums,
                hls::stream<qnn::Results<Fold>> &results) {
  const ap_uint<24> pixels = qnn::pixels_of(command);
  for (ap_uint<8> tile = 0; tile < command.tiles; ++tile) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
    for (ap_uint<24> pixel = 0; pixel < pixels; pixel += Fold::Pixels) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=11000
      const qnn::Sums<Fold> in = sums.read();
      for (unsigned m = 0; m < Fold::Pixels; ++m) {
#pragma HLS PIPELINE II=1
        qnn::Results<Fold> out;
        for (unsigned p = 0; p < Fold::Pe; ++p) {
#pragma HLS UNROLL
          out.value[p] = in.sum[m][p];
        }
        if (pixel + m < pixels) results.write(out);
      }
    }
  }
}

void products(const qnn::Command command, ap_uint<32> pixels, ap_uint<32> words_out,
              hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS DATAFLOW
  hls::stream<qnn::Word> words("words"), weights("weights"), packed("packed");
  hls::stream<qnn::Pieces<Fold>> pieces("pieces");
  hls::stream<qnn::Sums<Fold>> sums("sums");
  hls::stream<qnn::Results<Fold>> results("results");
#pragma HLS STREAM variable=words depth=16
#pragma HLS STREAM variable=weights depth=16
#pragma HLS STREAM variable=packed depth=16
#pragma HLS STREAM variable=pieces depth=16
#pragma HLS STREAM variable=sums depth=2
#pragma HLS STREAM variable=results depth=16
  qnn::receive(in, words);
  part(command, words, weights, pieces);
  qnn::matvec<Fold>(command, weights, pieces, sums);
  one_by_one(command, sums, results);
  qnn::scatter<Fold, 32>(pixels, results, packed);
  qnn::send(words_out, packed, out);
}

}  // namespace

void matvec(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
  const qnn::Command command = qnn::read_command(in);
  const ap_uint<32> pixels = command.tiles * qnn::pixels_of(command);
  products(command, pixels, pixels * (Fold::Pe / 2), in, out);
}
