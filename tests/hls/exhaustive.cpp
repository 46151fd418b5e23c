// SPDX-License-Identifier: BSD-3-Clause
//
// Functions of the HLS library against their definitions, on all inputs where these are few enough.
// Prints how many were compared, by function; ends with 1 at the first that differs.
#include <cstdio>
#include <cstdlib>
#include <random>

#include "qnn/command.hpp"
#include "qnn/popcount.hpp"
#include "qnn/requantise.hpp"

namespace {

void require(bool equal, const char *what, unsigned long long at) {
  if (equal) return;
  std::printf("%s differs at %#llx\n", what, at);
  std::exit(1);
}

/// Each number of `Width` bits.
template <unsigned Width>
unsigned long long all_counts() {
  const std::uint64_t end = std::uint64_t(1) << Width;
  for (std::uint64_t bits = 0; bits < end; ++bits) {
    require(qnn::Popcount<Width>::of(bits) == unsigned(__builtin_popcountll(bits)), "Popcount",
            bits);
  }
  if constexpr (Width < 22) return end + all_counts<Width + 1>();
  return end;
}

/// Each pair of numbers of `Width` bits.
template <unsigned Width>
unsigned long long all_pairs() {
  const unsigned end = 1u << Width;
  for (unsigned w = 0; w < end; ++w) {
    for (unsigned x = 0; x < end; ++x) {
      const unsigned equal = unsigned(__builtin_popcount(~(w ^ x) & (end - 1)));
      require(qnn::equal_bits<Width>(w, x) == equal, "equal_bits", w << Width | x);
    }
  }
  if constexpr (Width < 9) return std::uint64_t(end) * end + all_pairs<Width + 1>();
  return std::uint64_t(end) * end;
}

/// 64 bits: the first compressors take a bit of each third, a column; what they give is counted by
/// Popcount<22>, of which all is compared above. Each two columns take all their values, the others
/// being all 0, all 1, or random.
unsigned long long columns(std::mt19937_64 &random) {
  unsigned long long done = 0;
  const auto place = [](unsigned column, unsigned bits) {
    return std::uint64_t(bits & 1) << column | std::uint64_t(bits >> 1 & 1) << (column + 22) |
           (column + 44 < 64 ? std::uint64_t(bits >> 2 & 1) << (column + 44) : 0);
  };
  for (unsigned one = 0; one < 22; ++one) {
    for (unsigned other = one + 1; other < 22; ++other) {
      const std::uint64_t own = place(one, 7) | place(other, 7);
      for (const std::uint64_t others : {std::uint64_t(0), ~std::uint64_t(0), random()}) {
        for (unsigned values = 0; values < 64; ++values, ++done) {
          const std::uint64_t bits =
              (others & ~own) | place(one, values & 7) | place(other, values >> 3);
          require(qnn::Popcount<64>::of(bits) == unsigned(__builtin_popcountll(bits)),
                  "Popcount<64>", bits);
        }
      }
    }
  }
  return done;
}

/// The formula of the header in integers of 128 bits.
unsigned expected(std::uint32_t sum, std::uint32_t base, std::uint32_t shift,
                  std::uint32_t multiplier, std::int32_t addend, unsigned planes) {
  const std::int64_t most = (std::int64_t(1) << qnn::RequantSpanW) - 1;
  std::int64_t x = std::int64_t(sum) - base;
  x = x < 0 ? 0 : x > most ? most : x;
  __int128 code = __int128(multiplier) * x;
  code += __int128(addend) * (__int128(1) << qnn::RequantAddendShift);
  code >>= (shift & 31) + qnn::RequantLeastShift;
  const int top = (1 << planes) - 1;
  return unsigned(code < 0 ? 0 : code > top ? top : int(code));
}

/// Each sum, within all of x, for some words; then each shift and each number of planes at the ends
/// of all the others, and many random ones.
unsigned long long codes(std::mt19937_64 &random) {
  unsigned long long done = 0;
  const auto compare = [&](std::uint32_t sum, std::uint32_t base, std::uint32_t shift,
                           std::uint32_t multiplier, std::uint32_t addend, unsigned planes) {
    const qnn::Sum code = qnn::requantised(sum, base, shift, multiplier, addend, planes);
    require(code == expected(sum, base, shift, multiplier, std::int32_t(addend), planes),
            "requantised", sum);
    ++done;
  };
  const std::uint32_t span = std::uint32_t(1) << qnn::RequantSpanW;
  const std::uint32_t multiplier = std::uint32_t(random()) | 1;
  for (std::uint32_t x = 0; x < span; ++x) compare(x + 99, 99, 20, multiplier, 12345, 8);
  const std::uint32_t ends[] = {0,          1,          2,          span - 1,  span,
                                span + 1,   0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE,
                                0xFFFFFFFF};
  for (unsigned planes = 1; planes <= 8; ++planes) {
    for (std::uint32_t shift = 0; shift < 32; ++shift) {
      for (const auto sum : ends) {
        for (const auto base : {0u, 1u, 0x80000000u, 0xFFFFFFFFu}) {
          for (const auto factor : ends) {
            for (const auto addend : ends) compare(sum, base, shift, factor, addend, planes);
          }
        }
      }
    }
  }
  for (unsigned n = 0; n < 2000000; ++n) {
    const auto base = std::uint32_t(random()) >> (random() % 32);
    const auto sum = base + (std::uint32_t(random()) >> (random() % 32)) - std::uint32_t(n % 3);
    compare(sum, base, std::uint32_t(random()), std::uint32_t(random()) >> (random() % 32),
            std::uint32_t(std::int32_t(random()) >> (random() % 32)), unsigned(1 + random() % 8));
  }
  return done;
}

/// Each field of a command, all of its bits 1 and those of all others 0, and the other way round.
/// fields.inc says FIELD(name, beat, lowest bit, bits) of each.
unsigned long long fields() {
  unsigned long long done = 0;
  for (const bool others : {false, true}) {
#define FIELD(field, beat, lowest, bits)                                                   \
  {                                                                                        \
    const std::uint64_t own = ~std::uint64_t(0) >> (64 - bits) << lowest;                  \
    ap_uint<64> beats[qnn::Command::Beats] = {};                                           \
    for (auto &each : beats) each = others ? ~std::uint64_t(0) : 0;                        \
    beats[beat] ^= own;                                                                    \
    const auto found = std::uint64_t(qnn::Command::decode(beats).field);                   \
    require(found == (others ? 0 : own >> lowest), #field, found);                         \
    ++done;                                                                                \
  }
#include "fields.inc"
#undef FIELD
  }
  return done;
}

}  // namespace

int main(int, char **arguments) {
  std::mt19937_64 random(std::strtoull(arguments[1], nullptr, 10));
  std::printf("Popcount<1..22> %llu\n", all_counts<1>());
  std::printf("equal_bits<1..9> %llu\n", all_pairs<1>());
  std::printf("Popcount<64> %llu\n", columns(random));
  std::printf("fields %llu\n", fields());
  std::printf("requantised %llu\n", codes(random));
  return 0;
}
