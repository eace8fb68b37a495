// Dense layers: forward, and the gradients of inputs, weights and bias.
#include "kernels/activations.h"
#include "kernels/dense_blocks.h"
#include "kernels/dense_narrow.h"

namespace fastnn::FASTNN_ISA {
namespace {

// --- forward -----------------------------------------------------------------------------------

// y[m, 1] for one output: k lies on the lanes, and the lanes are added as a tree.
template <class T>
void single_output(Index m, Index k, const T* x, Index ldx, const T* w, const T* b, T* y,
                   Index ldy) {
  constexpr int lanes = kLanes<T>, height = lanes < 4 ? lanes : 4;
  for (Index i = 0; i < m; i += lanes) {
    const Index rows = least(m - i, lanes);
    Vector<T> sum[lanes];
#pragma GCC unroll 4
    for (int r = 0; r < lanes; r += height) {
      const T* row[height];
      Vector<T> part[height] = {};
      for (int j = 0; j < height; ++j) row[j] = x + least(i + r + j, m - 1) * ldx;
      Index p = 0;
      for (; p + lanes <= k; p += lanes) {
#pragma GCC unroll 4
        for (int j = 0; j < height; ++j) part[j] += load(row[j] + p) * load(w + p);
      }
#pragma GCC unroll 4
      for (int j = 0; j < height; ++j) {
        if (p < k) part[j] += load_first(row[j] + p, k - p) * load_first(w + p, k - p);
        sum[sum_position<T>(r + j)] = part[j];
      }
    }
    const Vector<T> total = sum_lanes<T>(sum) + (b != nullptr ? b[0] : T(0));
    if (ldy == 1) {
      store_first(y + i, total, rows);
    } else {
      for (Index r = 0; r < rows; ++r) y[(i + r) * ldy] = total[r];
    }
  }
}

// Applies what a tile cannot fuse to columns that were just computed, and so still lie in L1.
template <class T>
void activate_columns(Activation activation, Index m, Index n, T* y, Index ldy) {
  if (activation == Activation::kIdentity) return;
  if (n == ldy) n *= m, m = 1;
  for (Index i = 0; i < m; ++i) activate<T>(activation, n, y + i * ldy, y + i * ldy);
}

template <class T>
void dense_forward(Index m, Index k, Index n, const T* x, Index ldx, const T* w, const T* b, T* y,
                   Index ldy, Activation activation) {
  if (n == 1) {
    single_output(m, k, x, ldx, w, b, y, ldy);
    activate_columns(activation, m, n, y, ldy);
    return;
  }
  const bool relu = activation == Activation::kRelu;
  const Activation rest = relu ? Activation::kIdentity : activation;
  if (n > 0 && n <= kMostColumns<T> && m >= kLanes<T>) {
    multiply_narrow(n, Narrow<T>{m, k, x, ldx, w, n, 1, b, y, ldy, relu, false});
    activate_columns(rest, m, n, y, ldy);
    return;
  }
  Tiles<T> tiles = {};
  tiles.k = k;
  tiles.a = x, tiles.a_row = ldx, tiles.a_step = 1;
  tiles.b = w, tiles.ldb = n;
  tiles.start = b;
  tiles.c = y, tiles.ldc = ldy;
  tiles.relu = relu;
  multiply_any(Product<T>{m, n, tiles},
               [=](Index first, Index width) { activate_columns(rest, m, width, y + first, ldy); });
}

// --- gradient of the inputs --------------------------------------------------------------------

template <class T>
Index whole(Index count, Index unit) {
  return (count + unit - 1) / unit * unit;
}

// Whether dx^T = w @ dy^T is cheaper than dx = dy @ w^T: the one transposes dy and dx and computes
// whole vectors of rows, the other transposes w. An idle row costs a sixth of a transposed weight.
template <class T>
bool transposes_rows(Index m, Index k, Index n) {
  const Index rows = whole<T>(m, kLanes<T>);
  return k >= kLanes<T> && rows * (n + k) + (rows - m) * n * k / 6 < n * k;
}

// Distance of rows of `count` elements in scratch: whole vectors, and one more where rows would
// crowd few sets of the nearest cache.
template <class T>
Index spaced(Index count) {
  const Index vectors = whole<T>(count, kLanes<T>);
  return vectors * sizeof(T) % 512 == 0 ? vectors + kLanes<T> : vectors;
}

// Enough for every smaller m too, whichever way it takes.
template <class T>
Index dense_scratch(Index m, Index k, Index n) {
  return n * (whole<T>(m > k ? m : k, kLanes<T>) + kLanes<T>);
}

// dx = dy @ w^T, with w^T in scratch.
template <class T>
void inputs_by_weights(Index m, Index k, Index n, Tiles<T> tiles, T* scratch) {
  if (n == 1) {  // w is its own transpose
    tiles.ldb = k;
  } else {
    tiles.ldb = spaced<T>(k);
    transpose(k, n, k, tiles.b, n, scratch, tiles.ldb);
    tiles.b = scratch;
  }
  multiply(Product<T>{m, k, tiles}, [](Index, Index) {});
}

// dx^T = w @ dy^T, with dy^T in scratch; a block of dx^T at a time is transposed on its way to dx.
template <class T>
void inputs_by_rows(Index m, Index k, Index n, Tiles<T> tiles, T* scratch) {
  constexpr Index height = 48, width = 64;
  alignas(64) T block[height * width];
  const T *dy = tiles.a, *w = tiles.b;
  T* dx = tiles.c;
  const Index lddx = tiles.ldc, padded = whole<T>(m, kLanes<T>);
  tiles.ldb = spaced<T>(m);
  transpose(m, n, padded, dy, tiles.a_row, scratch, tiles.ldb);
  tiles.a_row = n;
  tiles.c = block, tiles.ldc = width;
  for (Index p = 0; p < k; p += height) {
    const Index rows = least(height, k - p);
    tiles.a = w + p * n;
    for (Index i = 0; i < m; i += width) {
      tiles.b = scratch + i;
      multiply(Product<T>{rows, least(width, padded - i), tiles}, [](Index, Index) {});
      transpose(rows, least(width, m - i), rows, block, width, dx + i * lddx + p, lddx);
    }
  }
}

template <class T>
void dense_backward_inputs(Index m, Index k, Index n, const T* dy, Index lddy, const T* w, T* dx,
                           Index lddx, T* scratch) {
  if (k > 0 && k <= kMostColumns<T> && m >= kLanes<T>) {
    multiply_narrow(k, Narrow<T>{m, n, dy, lddy, w, 1, n, nullptr, dx, lddx, false, false});
    return;
  }
  if (m > 0 && m <= kMostColumns<T> && k >= kLanes<T>) {
    multiply_narrow(m, Narrow<T>{k, n, w, n, dy, 1, lddy, nullptr, dx, lddx, false, true});
    return;
  }
  Tiles<T> tiles = {};
  tiles.k = n;
  tiles.a = dy, tiles.a_row = lddy, tiles.a_step = 1;
  tiles.b = w;
  tiles.c = dx, tiles.ldc = lddx;
  if (const Index columns = blocked_columns(tiles, m, k)) {
    tiles.ldb = n;
    multiply_blocks(Product<T>{m, columns, tiles}, true);
    if (columns == k) return;
    tiles.b += columns * n, tiles.c += columns, k -= columns;
  }
  if (transposes_rows<T>(m, k, n)) {
    inputs_by_rows(m, k, n, tiles, scratch);
  } else {
    inputs_by_weights(m, k, n, tiles, scratch);
  }
}

// --- gradient of the weights -------------------------------------------------------------------

// Few outputs leave most lanes of a row of dw empty: compute dw^T, a few vectors at a time.
template <class T>
void few_outputs(Index m, Index k, Index n, const T* x, Index ldx, const T* dy, Index lddy, T* dw) {
  constexpr Index width = 4 * kLanes<T>;
  T strip[width * kLanes<T>];
  Tiles<T> tiles = {};
  tiles.k = m;
  tiles.a = dy, tiles.a_row = 1, tiles.a_step = lddy;
  tiles.ldb = ldx;
  for (Index p = 0; p < k; p += width) {
    const Index columns = k - p < width ? k - p : width;
    tiles.b = x + p;
    tiles.c = n == 1 ? dw + p : strip, tiles.ldc = width;
    multiply(Product<T>{n, columns, tiles}, [](Index, Index) {});
    if (n > 1) transpose(n, columns, n, strip, width, dw + p * n, n);
  }
}

template <class T>
void dense_backward_weights(Index m, Index begin, Index end, Index n, const T* x, Index ldx,
                            const T* dy, Index lddy, T* dw) {
  if (n < kLanes<T>) {
    few_outputs(m, end - begin, n, x + begin, ldx, dy, lddy, dw);
    return;
  }
  Tiles<T> tiles = {};
  tiles.k = m;
  tiles.a = x + begin, tiles.a_row = 1, tiles.a_step = ldx;
  tiles.b = dy, tiles.ldb = lddy;
  tiles.c = dw, tiles.ldc = n;
  multiply_any(Product<T>{end - begin, n, tiles}, [](Index, Index) {});
}

}  // namespace

template <class T>
void add_dense(Kernels<T>& table) {
  table.dense_forward = dense_forward<T>;
  table.dense_backward_inputs = dense_backward_inputs<T>;
  table.dense_scratch = dense_scratch<T>;
  table.dense_backward_weights = dense_backward_weights<T>;
  table.dense_rows = kManyRegisters ? 64 : 128;
  table.dense_elements = kManyRegisters ? 8192 : 16384;
}
template void add_dense<float>(Kernels<float>&);
template void add_dense<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
