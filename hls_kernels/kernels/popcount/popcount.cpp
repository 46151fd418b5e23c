// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/popcount/popcount.hpp"

#include "qnn/popcount.hpp"

void popcount(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
  bool last = false;
  while (!last) {
#pragma HLS PIPELINE II=2
#pragma HLS LOOP_TRIPCOUNT min=1 max=1024
    const qnn::Word w = in.read().data;
    const qnn::Beat x = in.read();
    last = x.last;
    qnn::Beat count = x;
    count.data = qnn::equal_bits<64>(w, x.data);
    out.write(count);
  }
}
