// SPDX-License-Identifier: BSD-3-Clause
//
// Test bench of every kernel, for C simulation and C/RTL co-simulation: QNN_KERNEL names the kernel.
//
// Its argument is a file of frames: "in", a count and so many words in hexadecimal, then "out" and
// the same of what must come out; and again. scripts/hls.py writes it. With QNN_MEMORY (engine) a
// frame is: byte address of the command list, commands, word address of the last map, then all of
// the memory; out comes that map. Returns 0 where no word differs.

#include <cstdint>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "kernels/folding.hpp"

using Words = std::vector<std::uint64_t>;

#ifdef QNN_MEMORY

ap_uint<8> QNN_KERNEL(const qnn::Word *in, qnn::Word *out, ap_uint<32> list, ap_uint<8> count);

Words run(const Words &frame, std::size_t count) {
  static qnn::Word memory[65536];  // as deep as the pragma of the port says
  for (std::size_t i = 3; i < frame.size(); ++i) memory[i - 3] = frame[i];
  if (QNN_KERNEL(memory, memory, frame[0], frame[1]) != frame[1]) return {};
  Words result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(memory[frame[2] + i].to_uint64());
  return result;
}

#else

void QNN_KERNEL(hls::stream<qnn::Beat> &in, hls::stream<qnn::Beat> &out);

Words run(const Words &frame, std::size_t) {
  hls::stream<qnn::Beat> in("in"), out("out");
  for (std::size_t i = 0; i < frame.size(); ++i) {
    qnn::Beat beat;
    beat.data = frame[i];
    beat.keep = 0xff;
    beat.strb = 0xff;
    beat.last = i + 1 == frame.size();
    in.write(beat);
  }
  QNN_KERNEL(in, out);
  Words result;
  while (!out.empty()) {
    const qnn::Beat beat = out.read();
    if (beat.last != out.empty()) return {};
    result.push_back(beat.data.to_uint64());
  }
  return result;
}

#endif

bool read(std::istream &file, const std::string &what, Words &words) {
  std::string name;
  std::size_t count = 0;
  if (!(file >> name >> std::dec >> count) || name != what) return false;
  words.resize(count);
  for (std::uint64_t &word : words) file >> std::hex >> word;
  return !file.fail();
}

int main(int argc, char **argv) {
  std::ifstream file(argc > 1 ? argv[1] : "frames.txt");
  Words frame, expected;
  int frames = 0, differing = 0;
  while (read(file, "in", frame)) {
    if (!read(file, "out", expected)) return 2;
    ++frames;
    if (run(frame, expected.size()) != expected) ++differing;
  }
  std::cout << frames << " frames, " << differing << " differ\n";
  return frames == 0 || differing != 0;
}
