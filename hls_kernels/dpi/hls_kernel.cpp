// SPDX-License-Identifier: BSD-3-Clause
//
// The stream kernels for DPI-C: beats in, one call of the kernel for each frame, beats out. The
// kernels themselves are in the library of csim/csim.cpp, which is linked to the simulation.

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>
#include <vector>

#include "svdpi.h"

extern "C" {

const char *hls_message();
const std::uint64_t *hls_result();
std::int64_t hls_kernel(const char *name, const std::uint64_t *words, std::uint64_t count);

struct Kernel {
  std::string name;
  std::vector<std::uint64_t> in;   // of a frame whose last beat has not come
  std::deque<std::uint64_t> out;   // of frames that have been computed
  std::deque<std::size_t> left;    // beats of each of them
};

void *hls_open(const char *name) { return new Kernel{name, {}, {}, {}}; }

/// Drops all beats.
void hls_reset(void *handle) {
  auto *kernel = static_cast<Kernel *>(handle);
  kernel->in.clear();
  kernel->out.clear();
  kernel->left.clear();
}

/// One beat in; the last one of a frame runs the kernel. 0 where the kernel has failed.
int hls_push(void *handle, const svBitVecVal *data, svBit last) {
  auto *kernel = static_cast<Kernel *>(handle);
  kernel->in.push_back(std::uint64_t(data[1]) << 32 | data[0]);
  if (!last) return 1;
  const std::int64_t count = hls_kernel(kernel->name.c_str(), kernel->in.data(), kernel->in.size());
  kernel->in.clear();
  if (count < 0) {
    std::fprintf(stderr, "kernel %s: %s\n", kernel->name.c_str(), hls_message());
    return 0;
  }
  kernel->out.insert(kernel->out.end(), hls_result(), hls_result() + count);
  if (count) kernel->left.push_back(std::size_t(count));
  return 1;
}

/// One beat out; 0 where there is none.
int hls_pop(void *handle, svBitVecVal *data, svBit *last) {
  auto *kernel = static_cast<Kernel *>(handle);
  if (kernel->out.empty()) return 0;
  const std::uint64_t word = kernel->out.front();
  kernel->out.pop_front();
  data[0] = svBitVecVal(word);
  data[1] = svBitVecVal(word >> 32);
  *last = --kernel->left.front() == 0;
  if (*last) kernel->left.pop_front();
  return 1;
}

}  // extern "C"
