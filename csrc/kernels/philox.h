// Random words as a function of a key and a counter, the same for any number of threads
// (docs/design.md, section 4). Philox4x32-10, on many counters at once: Salmon, Moraes, Dror, Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", 2011.
#pragma once

#include "kernels/blocks.h"
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

inline constexpr Index kCounters = 16;            // counters at once
inline constexpr Index kNumbers = 4 * kCounters;  // numbers they give

struct Counter {
  uint32_t first, second, third, fourth;  // the first word counts up
};

// words[4 j + i] = word i of Philox at (first[j], second[j], third, fourth), j < kCounters. A
// round:
//   c0, c1, c2, c3 = high(b) ^ c1 ^ k0, low(b), high(a) ^ c3 ^ k1, low(a).
// A word is the lower half of a lane of 64 bits; what stands in the upper half does not matter.
FASTNN_INLINE void draw(uint64_t seed, const uint64_t* first, const uint64_t* second,
                        uint32_t third, uint32_t fourth, uint32_t* words) {
  using Lanes = Vector<uint64_t>;
  constexpr Index kAtOnce = kLanes<uint64_t>, kVectors = kCounters / kAtOnce;
  constexpr uint64_t kWord = 0xFFFFFFFFU;
  Lanes c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
  for (Index i = 0; i < kVectors; ++i) {
    c0[i] = load(first + i * kAtOnce);
    c1[i] = load(second + i * kAtOnce);
    c2[i] = Lanes{} + third;
    c3[i] = Lanes{} + fourth;
  }
  uint64_t k0 = seed & kWord, k1 = seed >> 32;
  for (int round = 0; round < 10; ++round) {
    for (Index i = 0; i < kVectors; ++i) {
      const Lanes a = multiply_halves(c0[i], Lanes{} + 0xD2511F53U);
      const Lanes b = multiply_halves(c2[i], Lanes{} + 0xCD9E8D57U);
      c0[i] = (b >> 32) ^ c1[i] ^ k0;
      c2[i] = (a >> 32) ^ c3[i] ^ k1;
      c1[i] = b;
      c3[i] = a;
    }
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  uint64_t pairs[2][kCounters];  // little endian: the lower half comes first
  for (Index i = 0; i < kVectors; ++i) {
    store(pairs[0] + i * kAtOnce, (c0[i] & kWord) | (c1[i] << 32));
    store(pairs[1] + i * kAtOnce, (c2[i] & kWord) | (c3[i] << 32));
  }
  for (Index j = 0; j < kCounters; ++j) {
    std::memcpy(words + 4 * j, &pairs[0][j], 8);
    std::memcpy(words + 4 * j + 2, &pairs[1][j], 8);
  }
}

// The same at (first + j, second, third, fourth).
FASTNN_INLINE void draw(uint64_t seed, const Counter& at, uint32_t* words) {
  uint64_t first[kCounters], second[kCounters];
  for (Index j = 0; j < kCounters; ++j) {
    first[j] = uint64_t{at.first} + static_cast<uint64_t>(j);
    second[j] = at.second;
  }
  draw(seed, first, second, at.third, at.fourth, words);
}

// Multiples of 2^-24 in [0, 1).
template <class T>
FASTNN_INLINE T to_uniform(uint32_t word) {
  return static_cast<T>(static_cast<int32_t>(word >> 8)) * T(5.9604644775390625e-08);
}

// Calls body(i * n + p, count, words) for pieces p .. p + count of up to kNumbers columns of each
// row i.
template <class Body>
FASTNN_INLINE void for_pieces(const NoiseKey& key, Index first, Index m, Index n, Body body) {
  alignas(64) uint32_t words[kNumbers];
  for (Index i = 0; i < m; ++i) {
    for (Index p = 0; p < n; p += kNumbers) {
      const Counter at{static_cast<uint32_t>(p / 4), static_cast<uint32_t>(first + i), key.step,
                       key.stream};
      draw(key.seed, at, words);
      body(i * n + p, n - p < kNumbers ? n - p : kNumbers, words);
    }
  }
}

}  // namespace fastnn::FASTNN_ISA
