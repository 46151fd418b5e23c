// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <deque>
#include <stdexcept>
#include <string>

// Stand-in for Vitis's header of this name, for C simulation by g++: a queue without a limit, since
// the processes of a dataflow run one after the other. What would hang or get lost in hardware is
// an error: reading an empty stream throws, and a stream that dies with data in it is remembered.

namespace hls {

/// Streams that had data left when they died, since the last call; for the caller of a kernel.
inline std::string &leftovers() {
  static thread_local std::string names;
  return names;
}

template <class T>
class stream {
 public:
  explicit stream(const char *name = "unnamed") : name_(name) {}
  stream(const stream &) = delete;
  stream &operator=(const stream &) = delete;
  ~stream() {
    if (!queue_.empty()) leftovers() += name_ + ": " + std::to_string(queue_.size()) + " left; ";
  }

  void write(const T &value) { queue_.push_back(value); }
  T read() {
    if (queue_.empty()) throw std::runtime_error("read from the empty stream " + name_);
    const T value = queue_.front();
    queue_.pop_front();
    return value;
  }
  bool empty() const { return queue_.empty(); }

 private:
  std::string name_;
  std::deque<T> queue_;
};

}  // namespace hls
