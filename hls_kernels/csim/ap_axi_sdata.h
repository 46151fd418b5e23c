// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <ap_int.h>

// What the C simulation needs of Vitis's header of this name: one beat of an AXI4-Stream. TUSER,
// TID and TDEST have no stand-in: their widths are 0.

template <int Data, int User, int Id, int Dest>
struct ap_axiu {
  static_assert(Data % 8 == 0 && User == 0 && Id == 0 && Dest == 0, "without user, id, dest");
  ap_uint<Data> data = 0;
  ap_uint<Data / 8> keep = 0;
  ap_uint<Data / 8> strb = 0;
  ap_uint<1> last = 0;
};
