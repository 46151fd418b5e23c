// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/engine/engine.hpp"

#include "qnn/engine.hpp"

ap_uint<8> engine(const qnn::Word *in, qnn::Word *out, ap_uint<32> list, ap_uint<8> count) {
#pragma HLS INTERFACE mode=m_axi port=in bundle=rd offset=slave depth=65536
#pragma HLS INTERFACE mode=m_axi port=out bundle=wr offset=slave depth=65536
#pragma HLS INTERFACE mode=s_axilite port=list
#pragma HLS INTERFACE mode=s_axilite port=count
#pragma HLS INTERFACE mode=s_axilite port=return
  return qnn::run_list<Fold>(in, out, list, count);
}
