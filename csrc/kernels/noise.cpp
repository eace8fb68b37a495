// Random numbers as a function of a key and a counter, the same for any number of threads
// (docs/design.md, section 4). Philox4x32-10, on many counters at once: Salmon, Moraes, Dror, Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", 2011.
#include "kernels/reduce.h"
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {
namespace {

constexpr Index kCounters = 16;            // counters at once
constexpr Index kNumbers = 4 * kCounters;  // numbers they give

struct Counter {
  uint32_t first, second, third, fourth;  // the first word counts up
};

// words[4 j + i] = word i of Philox at (first + j, second, third, fourth), j < kCounters. A round:
//   c0, c1, c2, c3 = high(b) ^ c1 ^ k0, low(b), high(a) ^ c3 ^ k1, low(a).
// A word is the lower half of a lane of 64 bits; what stands in the upper half does not matter.
FASTNN_INLINE void draw(uint64_t seed, const Counter& at, uint32_t* words) {
  using Lanes = Vector<uint64_t>;
  constexpr Index kAtOnce = kLanes<uint64_t>, kVectors = kCounters / kAtOnce;
  constexpr uint64_t kWord = 0xFFFFFFFFU;
  static constexpr uint64_t kCount[kCounters] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                 8, 9, 10, 11, 12, 13, 14, 15};
  Lanes c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
  for (Index i = 0; i < kVectors; ++i) {
    c0[i] = load(kCount + i * kAtOnce) + at.first;
    c1[i] = Lanes{} + at.second;
    c2[i] = Lanes{} + at.third;
    c3[i] = Lanes{} + at.fourth;
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

// Multiples of 2^-24 in [0, 1).
template <class T>
FASTNN_INLINE T to_uniform(uint32_t word) {
  return static_cast<T>(static_cast<int32_t>(word >> 8)) * T(5.9604644775390625e-08);
}

// Box and Muller: pairs of words to pairs of normal numbers.
template <class T>
FASTNN_INLINE void to_normal(const uint32_t* words, T* normal) {
#pragma omp simd
  for (Index j = 0; j < kNumbers / 2; ++j) {
    const T u = to_uniform<T>(words[2 * j]) + T(5.9604644775390625e-08);
    const T radius = vsqrt(T(-2) * vlog(u));
    T sine, cosine;
    vsincos_turns(to_uniform<T>(words[2 * j + 1]), sine, cosine);
    normal[2 * j] = radius * cosine;
    normal[2 * j + 1] = radius * sine;
  }
}

// Calls body(i, p, count, words) for pieces of up to kNumbers columns of each row.
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

template <class T>
void dropout(const NoiseKey& key, Index first, Index m, Index n, T rate, const T* x, T* y) {
  const T factor = rate < 1 ? T(1) / (T(1) - rate) : T(0);
  for_pieces(key, first, m, n, [=](Index at, Index count, const uint32_t* words) {
    T u[kNumbers];
#pragma omp simd
    for (Index j = 0; j < kNumbers; ++j) u[j] = to_uniform<T>(words[j]);
    map(count, x + at, u, y + at, [=](T a, T b) { return a * (b >= rate ? factor : T(0)); });
  });
}

template <class T>
void gaussian_noise(const NoiseKey& key, Index first, Index m, Index n, T stddev, const T* x,
                    T* y) {
  for_pieces(key, first, m, n, [=](Index at, Index count, const uint32_t* words) {
    T normal[kNumbers];
    to_normal(words, normal);
    map(count, x + at, normal, y + at, [=](T a, T b) { return a + stddev * b; });
  });
}

// The arrays of initial weights are drawn as a row of their own.
NoiseKey array_key(uint64_t seed, uint32_t stream) {
  return {seed, stream, static_cast<uint32_t>(Stream::kArray)};
}

template <class T>
void random_uniform(uint64_t seed, uint32_t stream, Index count, T low, T high, T* out) {
  const double from = low, span = static_cast<double>(high) - from;
  for_pieces(array_key(seed, stream), 0, 1, count, [=](Index at, Index n, const uint32_t* words) {
    for (Index j = 0; j < n; ++j)
      out[at + j] = static_cast<T>(from + span * to_uniform<double>(words[j]));
  });
}

// In double, so that float weights are the rounded double ones.
template <class T>
void random_normal(uint64_t seed, uint32_t stream, Index count, T mean, T stddev, T* out) {
  const double center = mean, spread = stddev;
  for_pieces(array_key(seed, stream), 0, 1, count, [=](Index at, Index n, const uint32_t* words) {
    double normal[kNumbers];
    to_normal(words, normal);
    for (Index j = 0; j < n; ++j) out[at + j] = static_cast<T>(center + spread * normal[j]);
  });
}

// --- the order of an epoch ---------------------------------------------------------------------

constexpr int kOrderRounds = 8;

FASTNN_INLINE uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7FEB352DU;
  x ^= x >> 15;
  x *= 0x846CA68BU;
  return x ^ (x >> 16);
}

// A bijection of [0, 2^bits) by a Feistel network.
struct Bijection {
  uint32_t keys[kOrderRounds];
  int low;
  uint32_t right_mask, left_mask;

  FASTNN_INLINE uint32_t operator()(uint32_t x) const {
    uint32_t left = x >> low, right = x & right_mask;
    for (int i = 0; i < kOrderRounds; i += 2) {
      left ^= mix(right ^ keys[i]) & left_mask;
      right ^= mix(left ^ keys[i + 1]) & right_mask;
    }
    return (left << low) | right;
  }
};

Bijection bijection(uint64_t seed, uint32_t epoch, Index n) {
  int bits = 2;
  while ((Index{1} << bits) < n) ++bits;
  uint32_t words[kNumbers];
  draw(seed, {0, 0, epoch, static_cast<uint32_t>(Stream::kShuffle)}, words);
  Bijection p;
  for (int i = 0; i < kOrderRounds; ++i) p.keys[i] = words[4 * i];
  p.low = bits / 2;
  p.right_mask = (uint32_t{1} << p.low) - 1;
  p.left_mask = (uint32_t{1} << (bits - p.low)) - 1;
  return p;
}

void epoch_order(uint64_t seed, uint32_t epoch, Index n, int32_t* order) {
  const Bijection p = bijection(seed, epoch, n);
  uint32_t block[kNumbers];
  Index found = 0;
  for (uint32_t x = 0; found < n; x += kNumbers) {
#pragma omp simd
    for (uint32_t j = 0; j < kNumbers; ++j) block[j] = p(x + j);
    for (Index j = 0; j < kNumbers && found < n; ++j) {
      order[found] = static_cast<int32_t>(block[j]);
      found += block[j] < static_cast<uint64_t>(n);
    }
  }
}

}  // namespace

template <class T>
void add_noise(Kernels<T>& table) {
  table.dropout = dropout<T>;
  table.gaussian_noise = gaussian_noise<T>;
  table.random_uniform = random_uniform<T>;
  table.random_normal = random_normal<T>;
  table.epoch_order = epoch_order;
}
template void add_noise(Kernels<float>& table);
template void add_noise(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
