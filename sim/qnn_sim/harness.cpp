// SPDX-License-Identifier: BSD-3-Clause
//
// The Verilated engine with a memory behind its port, for ctypes. All cycles of a run pass here.
//
// The memory takes up to 8 bursts, gives the first data `latency` cycles after the address, then one
// beat a cycle; after `period - 1` beats it pauses one cycle (period 0: never). `shared`: reads and
// writes together move one beat a cycle, else one each. `chaos`: every channel stalls at random.
// A burst that is not one, or that leaves the live lines, counts as a violation and moves nothing.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "Vengine.h"
#include "verilated.h"
#ifdef COVERAGE
#include "Vengine__Syms.h"
#include "verilated_cov.h"
#endif
#ifdef WAVES
#include "verilated_vcd_c.h"
#endif

namespace {

constexpr unsigned LINE = 128;        // bytes; no burst of the engine crosses a multiple of it

struct Burst {
  uint32_t address;
  unsigned beats;
  uint64_t due;
  bool legal;
};

struct Engine {
  VerilatedContext context;
  Vengine top{&context, ""};
#ifdef WAVES
  VerilatedVcdC waves;
#endif
  uint8_t *memory;                    // of the caller
  uint64_t bytes;
  std::vector<bool> live;             // lines that may be accessed
  unsigned latency, period, burst_limit = 8;
  bool shared, chaos;
  std::mt19937 random;
  uint64_t cycle = 0;
  std::deque<Burst> reads, writes, answers;
  unsigned moved = 0;                 // beats since the last pause
  bool read_turn = true;
  uint32_t bad_read = 1, bad_write = 1;  // addresses of bursts that fail (odd: none)
  bool dead = false;                  // the memory has stopped answering
  uint64_t violations = 0;            // accesses that no memory would take
  uint64_t read_beats = 0, write_beats = 0;

#ifdef COVERAGE
  uint32_t *counters() { return top.rootp->vlSymsp->__Vcoverage; }
#endif
  bool stall() { return chaos && random() % 3 == 0; }

  void step() {
    top.m_axi_arready = !dead && reads.size() < burst_limit && !stall();
    top.m_axi_awready = !dead && writes.size() + answers.size() < burst_limit && !stall();
    bool pause = period && moved + 1 >= period;
    if (pause) moved = 0;
    bool can_read = !dead && !pause && !reads.empty() && reads.front().due <= cycle && !stall();
    bool can_write = !dead && !pause && !writes.empty() && writes.front().due <= cycle && !stall();
    if (shared && can_read && can_write && top.m_axi_wvalid) (read_turn ? can_write : can_read) = false;
    top.m_axi_rvalid = can_read;
    if (can_read) {
      Burst &b = reads.front();
      top.m_axi_rdata = 0;
      if (b.legal) std::memcpy(&top.m_axi_rdata, &memory[b.address], 8);
      top.m_axi_rlast = b.beats == 1;
      top.m_axi_rresp = (b.address & -LINE) == bad_read ? 2 : 0;
    }
    top.m_axi_wready = can_write;
    bool answer = !dead && !answers.empty() && answers.front().due <= cycle && !stall();
    top.m_axi_bvalid = answer;
    if (answer) top.m_axi_bresp = (answers.front().address & -LINE) == bad_write ? 2 : 0;

    top.aclk = 0;
    top.eval();
#ifdef WAVES
    waves.dump(2 * cycle);
#endif
    bool moves = false;
    if (top.m_axi_rvalid && top.m_axi_rready) {
      Burst &b = reads.front();
      b.address += 8;
      if (--b.beats == 0) reads.pop_front();
      read_beats++;
      moves = true;
      read_turn = false;
    }
    if (top.m_axi_wvalid && top.m_axi_wready) {
      Burst &b = writes.front();
      for (int i = 0; i < 8; i++)
        if (b.legal && top.m_axi_wstrb >> i & 1) memory[b.address + i] = top.m_axi_wdata >> (8 * i);
      if (bool(top.m_axi_wlast) != (b.beats == 1)) violations++;
      b.address += 8;
      if (--b.beats == 0) {
        answers.push_back({b.address - 8, 0, cycle + latency, b.legal});
        writes.pop_front();
      }
      write_beats++;
      moves = true;
      read_turn = true;
    }
    if (moves) moved++;
    if (top.m_axi_bvalid && top.m_axi_bready) answers.pop_front();
    if (top.m_axi_arvalid && top.m_axi_arready)
      reads.push_back(accept(top.m_axi_araddr, top.m_axi_arlen, latency));
    if (top.m_axi_awvalid && top.m_axi_awready)
      writes.push_back(accept(top.m_axi_awaddr, top.m_axi_awlen, 1));
    top.aclk = 1;
    top.eval();
#ifdef WAVES
    waves.dump(2 * cycle + 1);
#endif
    cycle++;
  }

  Burst accept(uint32_t address, unsigned len, unsigned delay) {
    unsigned beats = len + 1;
    uint64_t last = uint64_t(address) + 8 * beats - 1;
    bool legal = address % 8 == 0 && beats <= 16 && last < bytes && (address ^ last) >> 12 == 0 &&
                 live[address / LINE] && live[last / LINE];
    if (!legal) violations++;
    return {address, beats, cycle + delay, legal};
  }
};

#ifdef COVERAGE
std::vector<uint32_t> covered(sizeof(Vengine__Syms::__Vcoverage) / sizeof(uint32_t));
#endif

}  // namespace

extern "C" {
void *engine_new(uint8_t *memory, uint64_t bytes, const char *waves) {
  auto *e = new Engine;
  e->memory = memory, e->bytes = bytes;
  e->live.resize(bytes / LINE);
#ifdef WAVES
  e->context.traceEverOn(true);
  e->top.trace(&e->waves, 99);
  e->waves.open(waves);
#else
  (void)waves;
#endif
  e->latency = 1, e->period = 0, e->shared = e->chaos = false;
  e->top.aresetn = 0;
  for (int i = 0; i < 4; i++) e->step();
  e->top.aresetn = 1;
  e->step();
  return e;
}
void engine_free(void *p) {
  auto *e = static_cast<Engine *>(p);
#ifdef WAVES
  e->waves.close();
#endif
#ifdef COVERAGE
  for (size_t i = 0; i < covered.size(); i++) covered[i] += e->counters()[i];
#endif
  delete e;
}
#ifdef COVERAGE
/// Writes what all engines that are gone have covered, in Verilator's own format.
void engine_coverage(const char *file) {
  Engine fresh;
  for (size_t i = 0; i < covered.size(); i++) fresh.counters()[i] = covered[i];
  fresh.context.coveragep()->write(file);
}
#endif
void engine_memory_model(void *p, unsigned latency, unsigned period, int shared, int chaos,
                         unsigned seed) {
  auto *e = static_cast<Engine *>(p);
  e->latency = latency, e->period = period, e->shared = shared, e->chaos = chaos;
  e->random.seed(seed);
}
void engine_fail(void *p, uint32_t bad_read, uint32_t bad_write, int dead) {
  auto *e = static_cast<Engine *>(p);
  e->bad_read = bad_read, e->bad_write = bad_write, e->dead = dead;
}
/// Whether these bytes, whole lines, may be accessed; at first none may.
void engine_live(void *p, uint32_t address, uint32_t bytes, int live) {
  auto &lines = static_cast<Engine *>(p)->live;
  std::fill_n(lines.begin() + address / LINE, bytes / LINE, bool(live));
}
uint64_t engine_count(void *p, int what) {
  auto *e = static_cast<Engine *>(p);
  switch (what) {
    case 0: return e->cycle;
    case 1: return e->violations;
    case 2: return e->read_beats;
    case 3: return e->write_beats;
    default: return e->reads.size() + e->writes.size() + e->answers.size();
  }
}
void engine_write(void *p, uint32_t address, uint32_t value, unsigned strobes) {
  auto *e = static_cast<Engine *>(p);
  auto &t = e->top;
  t.s_axi_ctrl_awvalid = t.s_axi_ctrl_wvalid = t.s_axi_ctrl_bready = 1;
  t.s_axi_ctrl_awaddr = address, t.s_axi_ctrl_wdata = value, t.s_axi_ctrl_wstrb = strobes;
  e->step();  // nothing is pending, so it is accepted at once
  t.s_axi_ctrl_awvalid = t.s_axi_ctrl_wvalid = 0;
  e->step();
}
uint32_t engine_read(void *p, uint32_t address) {
  auto *e = static_cast<Engine *>(p);
  auto &t = e->top;
  t.s_axi_ctrl_arvalid = t.s_axi_ctrl_rready = 1;
  t.s_axi_ctrl_araddr = address;
  e->step();
  t.s_axi_ctrl_arvalid = 0;
  for (int i = 0; i < 8 && !t.s_axi_ctrl_rvalid; i++) e->step();
  uint32_t value = t.s_axi_ctrl_rdata;
  e->step();
  return value;
}
/// Clocks until the interrupt, at most `cycles`; returns how many.
uint64_t engine_run(void *p, uint64_t cycles) {
  auto *e = static_cast<Engine *>(p);
  uint64_t n = 0;
  while (n < cycles && !e->top.irq) e->step(), n++;
  return n;
}
}
