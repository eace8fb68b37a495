// The transforms of Winograd F(4x4, 3x3), y = A' ((G w G') * (B' x B)) A for tiles of 6 x 6 inputs
// and 4 x 4 outputs, and the transposes of all three; the points are 0, +-5/8, +-3/2 and infinity.
// Of simple points these round best, half as much as 1 and 2, and A and B are exact. A vector
// holds neighbouring channels or filters.
#pragma once

#include "kernels/blocks.h"
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

using Lanes = Vector<float>;
inline constexpr Index kTileIn = 6, kTileOut = 4;
inline constexpr Index kPositions = kTileIn * kTileIn;
inline constexpr int kWidth = kLanes<float>;

// Squares and products of the points a = 5/8 and b = 3/2.
inline constexpr float kA = 0.625F, kB = 1.5F;
inline constexpr float kAA = kA * kA, kBB = kB * kB, kAAA = kAA * kA, kBBB = kBB * kB;
inline constexpr float kSum = kAA + kBB, kProduct = kAA * kBB;

// A product that is rounded before it is added to another one: which of the two the compiler fuses
// with the sum would differ between places, and so would the bits.
FASTNN_INLINE Lanes rounded(Lanes product) {
#if defined(__aarch64__)
  asm("" : "+w"(product));
#else
  asm("" : "+v"(product));
#endif
  return product;
}

// --- one line ------------------------------------------------------------------------------------

struct InputLine {  // t = B' d: the points' Lagrange polynomials
  static constexpr int from = 6, to = 6;
  static FASTNN_INLINE void apply(const Lanes* d, Lanes* t) {
    const Lanes even_a = d[4] - kBB * d[2], odd_a = d[3] - kBB * d[1];
    const Lanes even_b = d[4] - kAA * d[2], odd_b = d[3] - kAA * d[1];
    t[0] = d[4] - kSum * d[2] + kProduct * d[0];
    t[1] = even_a + kA * odd_a;
    t[2] = even_a - kA * odd_a;
    t[3] = even_b + kB * odd_b;
    t[4] = even_b - kB * odd_b;
    t[5] = d[5] - kSum * d[3] + kProduct * d[1];
  }
};

struct InputGradientLine {  // d = B t
  static constexpr int from = 6, to = 6;
  static FASTNN_INLINE void apply(const Lanes* t, Lanes* d) {
    const Lanes even_a = t[1] + t[2], odd_a = t[1] - t[2];
    const Lanes even_b = t[3] + t[4], odd_b = t[3] - t[4];
    d[0] = rounded(kProduct * t[0]);
    d[1] = rounded(kProduct * t[5]) - kA * kBB * odd_a - kB * kAA * odd_b;
    d[2] = rounded(-kSum * t[0]) - kBB * even_a - kAA * even_b;
    d[3] = rounded(kA * odd_a) + kB * odd_b - kSum * t[5];
    d[4] = t[0] + even_a + even_b;
    d[5] = t[5];
  }
};

struct OutputLine {  // y = A' t: values of the powers at the points
  static constexpr int from = 6, to = 4;
  static FASTNN_INLINE void apply(const Lanes* t, Lanes* y) {
    const Lanes even_a = t[1] + t[2], odd_a = t[1] - t[2];
    const Lanes even_b = t[3] + t[4], odd_b = t[3] - t[4];
    y[0] = t[0] + even_a + even_b;
    y[1] = rounded(kA * odd_a) + kB * odd_b;
    y[2] = rounded(kAA * even_a) + kBB * even_b;
    y[3] = rounded(kAAA * odd_a) + kBBB * odd_b + t[5];
  }
};

struct OutputGradientLine {  // t = A y
  static constexpr int from = 4, to = 6;
  static FASTNN_INLINE void apply(const Lanes* y, Lanes* t) {
    const Lanes even_a = y[0] + kAA * y[2], odd_a = y[1] + kAA * y[3];
    const Lanes even_b = y[0] + kBB * y[2], odd_b = y[1] + kBB * y[3];
    t[0] = y[0];
    t[1] = even_a + kA * odd_a;
    t[2] = even_a - kA * odd_a;
    t[3] = even_b + kB * odd_b;
    t[4] = even_b - kB * odd_b;
    t[5] = y[3];
  }
};

// The weights of the Lagrange polynomials, one over the product of distances of a point to others.
inline constexpr float kG0 = 1 / kProduct;
inline constexpr float kGa = 1 / (2 * kAA * (kAA - kBB)), kGb = 1 / (2 * kBB * (kBB - kAA));

struct WeightsLine {  // u = G g
  static constexpr int from = 3, to = 6;
  static FASTNN_INLINE void apply(const Lanes* g, Lanes* u) {
    const Lanes even_a = rounded(kGa * g[0]) + kGa * kAA * g[2],
                even_b = rounded(kGb * g[0]) + kGb * kBB * g[2];
    u[0] = rounded(kG0 * g[0]);
    u[1] = even_a + kGa * kA * g[1];
    u[2] = even_a - kGa * kA * g[1];
    u[3] = even_b + kGb * kB * g[1];
    u[4] = even_b - kGb * kB * g[1];
    u[5] = g[2];
  }
};

struct WeightsGradientLine {  // g = G' u
  static constexpr int from = 6, to = 3;
  static FASTNN_INLINE void apply(const Lanes* u, Lanes* g) {
    const Lanes even_a = u[1] + u[2], even_b = u[3] + u[4];
    g[0] = rounded(kG0 * u[0]) + kGa * even_a + kGb * even_b;
    g[1] = rounded(kGa * kA * (u[1] - u[2])) + kGb * kB * (u[3] - u[4]);
    g[2] = rounded(kGa * kAA * even_a) + kGb * kBB * even_b + u[5];
  }
};

// --- both directions -----------------------------------------------------------------------------

// Line along the columns of a square, then along the rows of what that gives: read(i, j) fetches
// Line::from x Line::from vectors, write(i, j, v) takes Line::to x Line::to of them.
template <class Line, class Read, class Write>
FASTNN_INLINE void transform(Read read, Write write) {
  Lanes half[Line::to][Line::from];
#pragma GCC unroll 6
  for (int j = 0; j < Line::from; ++j) {
    Lanes in[Line::from], out[Line::to];
#pragma GCC unroll 6
    for (int i = 0; i < Line::from; ++i) in[i] = read(i, j);
    Line::apply(in, out);
#pragma GCC unroll 6
    for (int i = 0; i < Line::to; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < Line::to; ++i) {
    Lanes out[Line::to];
    Line::apply(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < Line::to; ++j) write(i, j, out[j]);
  }
}

}  // namespace fastnn::FASTNN_ISA
