// Dense layers whose factors are rounded to bfloat16: the rounding, and the products of all passes.
#include "kernels/bf16_tile.h"

namespace fastnn::FASTNN_ISA {
namespace {

constexpr Index kLane = kLanes<float>;

Index whole_pairs(Index count) { return (count + kPairUnit - 1) / kPairUnit * kPairUnit; }

// Zeros where none is left.
Floats load_existing(const float* p, Index left) {
  if (left >= kLane) return load(p);
  return left > 0 ? load_first(p, left) : Floats{};
}

// Pairs j .. j + lanes of a row of n numbers.
Pairs neighbours(const float* row, Index n, Index j) {
  return pair_neighbours(load_existing(row + 2 * j, n - 2 * j),
                         load_existing(row + 2 * j + kLane, n - 2 * j - kLane));
}

void bf16_round(Index count, const float* x, float* y) {
  for (Index i = 0; i < count; i += kLane) {
    const Floats rounded =
        reinterpret_cast<Floats>(rounded_halves(load_existing(x + i, count - i)) << 16);
    store_first(y + i, rounded, least(kLane, count - i));
  }
}

void bf16_pair_columns(Index m, Index n, const float* x, Index ldx, Bf16Pair* to, Index ldto) {
  const Index width = whole_pairs((n + 1) / 2);
  for (Index i = 0; i < m; ++i, x += ldx, to += ldto) {
    for (Index j = 0; j < width; j += kLane) store(to + j, neighbours(x, n, j));
  }
}

void bf16_pair_rows(Index m, Index n, const float* x, Index ldx, Bf16Pair* to, Index ldto) {
  const Index width = whole_pairs(n);
  for (Index i = 0; i < m; i += 2, x += 2 * ldx, to += ldto) {
    const Index below = i + 1 < m ? n : 0;
    for (Index j = 0; j < width; j += kLane) {
      store(to + j, pair(load_existing(x + j, n - j), load_existing(x + ldx + j, below - j)));
    }
  }
}

void bf16_pair_transposed(Index m, Index n, const float* x, Index ldx, Bf16Pair* to, Index ldto) {
  const Index pairs = (n + 1) / 2;
  for (Index i = 0; i < m; i += kLane) {
    const Index height = least(kLane, m - i);
    for (Index j = 0; j < pairs; j += kLane) {
      Pairs square[kLane];
#pragma GCC unroll 16
      for (Index r = 0; r < kLane; ++r) {
        square[r] = neighbours(x + least(i + r, m - 1) * ldx, n, j);
      }
      transpose_square<Bf16Pair>(square);
      const Index width = least(kLane, pairs - j);
#pragma GCC unroll 16
      for (Index c = 0; c < kLane; ++c) {
        if (c < width) store_first(to + (j + c) * ldto + i, square[c], height);
      }
    }
  }
}

void bf16_forward(Index m, Index k, Index n, const Bf16Pair* x, Index ldx, const Bf16Pair* w,
                  Index ldw, const float* b, float* y, bool relu) {
  PairTiles tiles = {};
  tiles.k = (k + 1) / 2;
  tiles.a = x, tiles.a_row = ldx, tiles.a_step = 1;
  tiles.b = w, tiles.ldb = ldw;
  tiles.start = b;
  tiles.c = y, tiles.ldc = n;
  tiles.relu = relu;
  multiply_pairs(m, n, tiles);
}

void bf16_backward_weights(Index m, Index begin, Index end, Index n, const Bf16Pair* x, Index ldx,
                           const Bf16Pair* dy, Index lddy, float* dw) {
  PairTiles tiles = {};
  tiles.k = (m + 1) / 2;
  tiles.a = x + begin, tiles.a_row = 1, tiles.a_step = ldx;
  tiles.b = dy, tiles.ldb = lddy;
  tiles.c = dw, tiles.ldc = n;
  multiply_pairs(end - begin, n, tiles);
}

}  // namespace

void add_bf16(Kernels<float>& table) {
  table.bf16_round = bf16_round;
  table.bf16_pair_columns = bf16_pair_columns;
  table.bf16_pair_rows = bf16_pair_rows;
  table.bf16_pair_transposed = bf16_pair_transposed;
  table.bf16_forward = bf16_forward;
  table.bf16_backward_weights = bf16_backward_weights;
}

}  // namespace fastnn::FASTNN_ISA
