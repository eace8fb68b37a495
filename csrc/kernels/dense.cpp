// Dense layers: forward, and the gradients of inputs, weights and bias.
#include "kernels/activations.h"
#include "kernels/dense_product.h"

namespace fastnn::FASTNN_ISA {
namespace {

// --- transposition -----------------------------------------------------------------------------

// One whole square. Not inlined: in a loop over squares the compiler would keep an address for each
// of the rows and spill them all, which takes three times as long.
template <class T>
[[gnu::noinline]] void transpose_full(const T* from, Index ldfrom, T* to, Index ldto) {
  constexpr Index lanes = kLanes<T>;
  Vector<T> square[lanes];
#pragma GCC unroll 16
  for (Index i = 0; i < lanes; ++i) square[i] = load(from + i * ldfrom);
  transpose_square<T>(square);
#pragma GCC unroll 16
  for (Index i = 0; i < lanes; ++i) store(to + i * ldto, square[i]);
}

// A square of which height rows and width columns exist in `from`: writes width rows of `written`
// elements. Rows past the end are read and written again, from the last one backwards, so that no
// step depends on the sizes and what is not asked for (written > height) holds repeated numbers.
template <class T>
[[gnu::noinline]] void transpose_edge(Index height, Index width, Index written, const T* from,
                                      Index ldfrom, T* to, Index ldto) {
  constexpr Index lanes = kLanes<T>;
  Vector<T> square[lanes];
#pragma GCC unroll 16
  for (Index i = 0; i < lanes; ++i) {
    square[i] = load_first(from + least(i, height - 1) * ldfrom, width);
  }
  transpose_square<T>(square);
#pragma GCC unroll 16
  for (Index i = lanes - 1; i >= 0; --i) {
    store_first(to + least(i, width - 1) * ldto, square[i], written);
  }
}

// to[cols, rows] = from[rows, cols]^T, one square of vectors at a time. Rows of `to` are written
// up to `padded` elements, with any numbers after the first `rows`.
template <class T>
void transpose(Index rows, Index cols, Index padded, const T* from, Index ldfrom, T* to,
               Index ldto) {
  constexpr Index lanes = kLanes<T>;
  for (Index r = 0; r < padded; r += lanes) {
    const Index height = rows - r < 1 ? 1 : least(rows - r, lanes),
                written = least(padded - r, lanes);
    for (Index c = 0; c < cols; c += lanes) {
      const Index width = least(cols - c, lanes);
      const T* source = from + least(r, rows - 1) * ldfrom + c;
      T* target = to + c * ldto + r;
      if (height == lanes && width == lanes) {
        transpose_full(source, ldfrom, target, ldto);
      } else {
        transpose_edge(height, width, written, source, ldfrom, target, ldto);
      }
    }
  }
}

// --- forward -----------------------------------------------------------------------------------

// y[m, 1] for one output: k lies on the lanes, and the lanes are added as a tree.
template <class T>
void single_output(Index m, Index k, const T* x, Index ldx, const T* w, const T* b, T* y,
                   Index ldy) {
  constexpr Index lanes = kLanes<T>;
  for (Index i = 0; i < m; i += lanes) {
    const Index rows = m - i < lanes ? m - i : lanes;
    Vector<T> sum[lanes] = {};
    for (Index r = 0; r < rows; ++r) {
      const T* row = x + (i + r) * ldx;
      Index p = 0;
      for (; p + lanes <= k; p += lanes) sum[r] += load(row + p) * load(w + p);
      if (p < k) sum[r] += load_first(row + p, k - p) * load_first(w + p, k - p);
    }
    transpose_square<T>(sum);
    for (Index half = lanes / 2; half > 0; half /= 2) {
      for (Index r = 0; r < half; ++r) sum[r] += sum[r + half];
    }
    if (b != nullptr) sum[0] += b[0];
    for (Index r = 0; r < rows; ++r) y[(i + r) * ldy] = sum[0][r];
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
  Tiles<T> tiles = {};
  tiles.k = k;
  tiles.a = x, tiles.a_row = ldx, tiles.a_step = 1;
  tiles.b = w, tiles.ldb = n;
  tiles.start = b;
  tiles.c = y, tiles.ldc = ldy;
  tiles.relu = activation == Activation::kRelu;
  const Activation rest = tiles.relu ? Activation::kIdentity : activation;
  multiply(Product<T>{m, n, tiles},
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

// Rows of w that lie whole pages apart fall into one set of the nearest cache, which cannot hold a
// tile's height of them: they are copied closer. Elements of the copy, or 0.
template <class T>
Index crowded_rows(Index n) {
  return n * sizeof(T) % kPageBytes == 0 ? kLanes<T> * (n + kLanes<T>) : 0;
}

// Enough for every smaller m too, whichever way it takes.
template <class T>
Index dense_scratch(Index m, Index k, Index n) {
  return n * whole<T>(m > k ? m : k, kSquares<T> * kLanes<T>) + crowded_rows<T>(n);
}

// dx = dy @ w^T, with w^T in scratch.
template <class T>
void inputs_by_weights(Index m, Index k, Index n, Tiles<T> tiles, T* scratch) {
  if (n == 1) {  // w is its own transpose
    tiles.ldb = k;
  } else {
    tiles.ldb = whole<T>(k, kLanes<T>);
    transpose(k, n, tiles.ldb, tiles.b, n, scratch, tiles.ldb);
    tiles.b = scratch;
  }
  multiply(Product<T>{m, k, tiles}, [](Index, Index) {});
}

// dx^T = w @ dy^T, with dy^T in scratch; each tile is transposed on its way to dx.
template <class T>
void inputs_by_rows(Index m, Index k, Index n, Tiles<T> tiles, const T* w, T* scratch) {
  constexpr Index lanes = kLanes<T>, width = kSquares<T> * lanes;
  const T* dy = tiles.a;
  T* dx = tiles.c;
  const Index padded = whole<T>(m, width);
  transpose(m, n, padded, dy, tiles.a_row, scratch, padded);
  tiles.a_row = n;
  tiles.ldb = padded;
  T* copy = crowded_rows<T>(n) > 0 ? scratch + n * padded : nullptr;
  if (copy != nullptr) tiles.a_row = n + lanes;
  for (Index p = 0; p < k; p += lanes) {
    const Index first = least(p, k - lanes);  // the last tile may overlap the one before
    tiles.a = copy != nullptr ? copy : w + first * n;
    for (Index r = 0; r < lanes && copy != nullptr; ++r) {
      std::memcpy(copy + r * tiles.a_row, w + (first + r) * n, n * sizeof(T));
    }
    for (Index i = 0; i < m; i += width) {
      tiles.b = scratch + i;
      tiles.c = dx + i * tiles.ldc + first;
      run_squares(tiles, m - i);
    }
  }
}

template <class T>
void dense_backward_inputs(Index m, Index k, Index n, const T* dy, Index lddy, const T* w, T* dx,
                           Index lddx, T* scratch) {
  Tiles<T> tiles = {};
  tiles.k = n;
  tiles.a = dy, tiles.a_row = lddy, tiles.a_step = 1;
  tiles.b = w;
  tiles.c = dx, tiles.ldc = lddx;
  if (transposes_rows<T>(m, k, n)) {
    inputs_by_rows(m, k, n, tiles, w, scratch);
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
  multiply(Product<T>{end - begin, n, tiles}, [](Index, Index) {});
}

template <class T>
void column_sums(Index m, Index n, const T* x, Index ldx, T* sums) {
  constexpr Index lanes = kLanes<T>;
  for (Index j = 0; j < n; j += lanes) {
    const Index width = n - j < lanes ? n - j : lanes;
    Vector<T> sum = {};
    for (Index i = 0; i < m; ++i) {
      const T* row = x + i * ldx + j;
      sum += width == lanes ? load(row) : load_first(row, width);
    }
    if (width == lanes) store(sums + j, sum);
    if (width < lanes) store_first(sums + j, sum, width);
  }
}

}  // namespace

template <class T>
void add_dense(Kernels<T>& table) {
  table.dense_forward = dense_forward<T>;
  table.dense_backward_inputs = dense_backward_inputs<T>;
  table.dense_scratch = dense_scratch<T>;
  table.dense_backward_weights = dense_backward_weights<T>;
  table.column_sums = column_sums<T>;
}
template void add_dense<float>(Kernels<float>&);
template void add_dense<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
