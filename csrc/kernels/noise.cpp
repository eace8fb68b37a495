// Dropout, noise, initial weights and the order of an epoch, from counters (docs/design.md,
// section 4).
#include "kernels/philox.h"
#include "kernels/reduce.h"

namespace fastnn::FASTNN_ISA {
namespace {

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

// Calls body(p, n, words) for pieces of up to kNumbers of the elements from `first` on.
template <class Body>
FASTNN_INLINE void for_array(uint64_t seed, uint32_t stream, Index first, Index count, Body body) {
  alignas(64) uint32_t words[kNumbers];
  for (Index p = 0; p < count; p += kNumbers) {
    const Counter at{static_cast<uint32_t>((first + p) / 4), 0, stream,
                     static_cast<uint32_t>(Stream::kArray)};
    draw(seed, at, words);
    body(p, least(kNumbers, count - p), words);
  }
}

template <class T>
void random_uniform(uint64_t seed, uint32_t stream, Index first, Index count, T low, T high,
                    T* out) {
  const double from = low, span = static_cast<double>(high) - from;
  for_array(seed, stream, first, count, [=](Index at, Index n, const uint32_t* words) {
    for (Index j = 0; j < n; ++j)
      out[at + j] = static_cast<T>(from + span * to_uniform<double>(words[j]));
  });
}

// In double, so that float weights are the rounded double ones.
template <class T>
void random_normal(uint64_t seed, uint32_t stream, Index first, Index count, T mean, T stddev,
                   T* out) {
  const double center = mean, spread = stddev;
  for_array(seed, stream, first, count, [=](Index at, Index n, const uint32_t* words) {
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
