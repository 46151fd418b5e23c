// SPDX-License-Identifier: BSD-3-Clause
//
// The kernels as one shared library with a C interface; sim/qnn_sim/hls_csim.py loads it. They are
// compiled together: the vendor's headers take longer than all kernels.

#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

#include "kernels/conv/conv.cpp"
#include "kernels/conv_fixed/conv_fixed.cpp"
#include "kernels/engine/engine.cpp"
#include "kernels/matvec/matvec.cpp"
#include "kernels/max_pool/max_pool.cpp"
#include "kernels/pack/pack.cpp"
#include "kernels/popcount/popcount.cpp"
#include "kernels/threshold/threshold.cpp"
#include "kernels/window/window.cpp"

namespace {

using Kernel = void (*)(hls::stream<qnn::Beat> &, hls::stream<qnn::Beat> &);

const std::map<std::string, Kernel> kernels = {
    {"conv", conv},         {"conv_fixed", conv_fixed}, {"matvec", matvec},
    {"max_pool", max_pool}, {"pack", pack},             {"popcount", popcount},
    {"threshold", threshold}, {"window", window},
};

thread_local std::string message;
thread_local std::vector<std::uint64_t> result;

/// What `call` gives; -1, and the reason in `message`, where it throws or leaves data in a stream.
template <class Call>
std::int64_t guarded(Call call) {
  hls::leftovers().clear();
  message.clear();
  std::int64_t given = -1;
  try {
    given = call();
  } catch (const std::exception &error) {
    message = error.what();
    return -1;
  }
  if (hls::leftovers().empty()) return given;
  message = hls::leftovers();
  return -1;
}

}  // namespace

extern "C" {

const char *hls_message() { return message.c_str(); }

const std::uint64_t *hls_result() { return result.data(); }

/// One frame through one kernel; the number of words that came out, which hls_result() points to.
std::int64_t hls_kernel(const char *name, const std::uint64_t *words, std::uint64_t count) {
  return guarded([&]() -> std::int64_t {
    hls::stream<qnn::Beat> in("in"), out("out");
    for (std::uint64_t i = 0; i < count; ++i) {
      qnn::Beat beat;
      beat.data = words[i];
      beat.keep = beat.strb = 0xff;
      beat.last = i + 1 == count;
      in.write(beat);
    }
    kernels.at(name)(in, out);
    result.clear();
    while (!out.empty()) {
      const qnn::Beat beat = out.read();
      if (beat.keep != 0xff || beat.strb != 0xff) throw std::runtime_error("a byte is not valid");
      if (beat.last != out.empty()) throw std::runtime_error("TLAST is not on the last word");
      result.push_back(beat.data.to_uint64());
    }
    return static_cast<std::int64_t>(result.size());
  });
}

/// Memory of an engine: zeros, which take no memory of this machine before they are written.
void *hls_memory_new(std::uint64_t words) { return std::calloc(words, sizeof(qnn::Word)); }

void hls_memory_free(void *memory) { std::free(memory); }

/// Runs a command list; the number of commands that ran.
std::int64_t hls_engine(void *memory, std::uint32_t list, std::uint32_t count) {
  static_assert(sizeof(qnn::Word) == 8, "a word is eight bytes");
  qnn::Word *words = static_cast<qnn::Word *>(memory);
  return guarded([&]() -> std::int64_t { return engine(words, words, list, count).to_int(); });
}

}  // extern "C"
