// SPDX-License-Identifier: BSD-3-Clause
//
// The Verilated engine with a memory behind its ports, for ctypes. All cycles of a run pass here.
//
// At each port the memory takes up to 8 bursts, gives the first data `latency` cycles after the
// address, then one beat a cycle; after `period - 1` beats it pauses one cycle (period 0: never).
// `shared`: reads and writes of a port together move one beat a cycle, else one each. `chaos`: every
// channel stalls at random. Ports do not wait for each other.
// A burst that is not one, or that leaves the live lines, counts as a violation and moves nothing; so
// does a read of a line for which a write is not answered. A read gives what was there when its address
// was taken.
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
  std::vector<uint64_t> data;         // of a read
};

/// The signals of a port that is read from.
struct ReadChannels {
  CData &arvalid, &arready;
  IData &araddr;
  CData &arlen, &rvalid, &rready;
  QData &rdata;
  CData &rresp, &rlast;
};

/// What goes on at one port.
struct Port {
  std::deque<Burst> reads, writes, answers;
  unsigned moved = 0;                 // beats since the last pause
  bool read_turn = true;
  bool pause, moves;                  // in this cycle

  size_t pending() const { return reads.size() + writes.size() + answers.size(); }
};

/// Registers and memories of a model with `--x-initial unique` begin with random values, in each
/// engine of a process with others.
VerilatedContext *begun(VerilatedContext &context) {
  static int engines = 0;
  context.randReset(2);
  context.randSeed(++engines);
  return &context;
}

struct Engine {
  VerilatedContext context;
  Vengine top{begun(context), ""};
  ReadChannels first_read{top.m_axi_arvalid, top.m_axi_arready, top.m_axi_araddr, top.m_axi_arlen,
                          top.m_axi_rvalid, top.m_axi_rready, top.m_axi_rdata, top.m_axi_rresp,
                          top.m_axi_rlast};
  ReadChannels second_read{top.m_axi_read_arvalid, top.m_axi_read_arready, top.m_axi_read_araddr,
                           top.m_axi_read_arlen, top.m_axi_read_rvalid, top.m_axi_read_rready,
                           top.m_axi_read_rdata, top.m_axi_read_rresp, top.m_axi_read_rlast};
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
  Port first, second;                 // the second one is only read
  uint32_t bad_read = 1, bad_write = 1;  // addresses of bursts that fail (odd: none)
  bool dead = false;                  // the memory has stopped answering
  uint64_t violations = 0;            // accesses that no memory would take
  uint64_t read_beats = 0, write_beats = 0;

#ifdef COVERAGE
  uint32_t *counters() { return top.rootp->vlSymsp->__Vcoverage; }
#endif
  bool stall() { return chaos && random() % 3 == 0; }

  bool due(const std::deque<Burst> &bursts) {
    return !dead && !bursts.empty() && bursts.front().due <= cycle && !stall();
  }

  void offer_data(Port &port, ReadChannels &read) {
    read.arready = !dead && port.reads.size() < burst_limit && !stall();
    port.pause = period && port.moved + 1 >= period;
    if (port.pause) port.moved = 0;
    port.moves = false;
    read.rvalid = !port.pause && due(port.reads);
    if (!read.rvalid) return;
    Burst &b = port.reads.front();
    read.rdata = b.legal ? b.data[b.data.size() - b.beats] : 0;
    read.rlast = b.beats == 1;
    read.rresp = (b.address & -LINE) == bad_read ? 2 : 0;
  }

  void offer_to_write(Port &port, ReadChannels &read) {
    top.m_axi_awready = !dead && port.writes.size() + port.answers.size() < burst_limit && !stall();
    top.m_axi_wready = !port.pause && due(port.writes);
    if (shared && read.rvalid && top.m_axi_wready && top.m_axi_wvalid)
      (port.read_turn ? top.m_axi_wready : read.rvalid) = false;
    top.m_axi_bvalid = due(port.answers);
    if (top.m_axi_bvalid)
      top.m_axi_bresp = (port.answers.front().address & -LINE) == bad_write ? 2 : 0;
  }

  void take_reads(Port &port, ReadChannels &read) {
    if (read.rvalid && read.rready) {
      Burst &b = port.reads.front();
      if (--b.beats == 0) port.reads.pop_front();
      read_beats++;
      port.moves = true;
      port.read_turn = false;
    }
    if (!read.arvalid || !read.arready) return;
    Burst b = accept(read.araddr, read.arlen, latency);
    for (const auto *writes : {&first.writes, &first.answers})
      for (const Burst &write : *writes) violations += write.address / LINE == b.address / LINE;
    b.data.resize(b.beats);
    if (b.legal) std::memcpy(b.data.data(), &memory[b.address], 8 * b.beats);
    port.reads.push_back(std::move(b));
  }

  void take_writes(Port &port) {
    if (top.m_axi_bvalid && top.m_axi_bready) port.answers.pop_front();
    if (top.m_axi_wvalid && top.m_axi_wready) {
      Burst &b = port.writes.front();
      for (int i = 0; i < 8; i++)
        if (b.legal && top.m_axi_wstrb >> i & 1) memory[b.address + i] = top.m_axi_wdata >> (8 * i);
      if (bool(top.m_axi_wlast) != (b.beats == 1)) violations++;
      b.address += 8;
      if (--b.beats == 0) {
        port.answers.push_back({b.address - 8, 0, cycle + latency, b.legal, {}});
        port.writes.pop_front();
      }
      write_beats++;
      port.moves = true;
      port.read_turn = true;
    }
    if (top.m_axi_awvalid && top.m_axi_awready)
      port.writes.push_back(accept(top.m_axi_awaddr, top.m_axi_awlen, 1));
  }

  void step() {
    offer_data(first, first_read);
    offer_to_write(first, first_read);
    offer_data(second, second_read);

    top.aclk = 0;
    top.eval();
#ifdef WAVES
    waves.dump(2 * cycle);
#endif
    take_reads(first, first_read);
    take_writes(first);
    take_reads(second, second_read);
    for (Port *port : {&first, &second}) port->moved += port->moves;
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
    return {address, beats, cycle + delay, legal, {}};
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
  auto &t = e->top;
  t.s_axi_ctrl_awvalid = t.s_axi_ctrl_wvalid = t.s_axi_ctrl_bready = 0;
  t.s_axi_ctrl_arvalid = t.s_axi_ctrl_rready = 0;
  t.aresetn = 0;
  for (int i = 0; i < 4; i++) e->step();
  e->first = e->second = {};          // the memory is reset, too: nothing was asked of it
  e->violations = 0;
  t.aresetn = 1;
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
    default: return e->first.pending() + e->second.pending();
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
