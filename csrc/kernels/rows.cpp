// Rows gathered, multiplied, put side by side; and the elementwise sums of a graph.
#include "kernels/rows.h"

#include "kernels/reduce.h"

namespace fastnn::FASTNN_ISA {
namespace {

constexpr Index kAhead = 4;  // rows between a prefetch and its use

template <class T>
void gather_rows(Index m, Index n, const T* x, const int32_t* rows, T* y) {
  if (rows == nullptr) return copy_row(m * n, x, y);
  if (n == 1) {
    for (Index i = 0; i < m; ++i) y[i] = x[rows[i]];
    return;
  }
  for (Index i = 0; i < m; ++i) {
    if (i + kAhead < m) prefetch_row(n, x + rows[i + kAhead] * n);
    copy_row(n, x + rows[i] * n, y + i * n);
  }
}

template <class T>
void gather_bytes(Index m, Index n, const uint8_t* x, const int32_t* rows, T* y) {
  for (Index i = 0; i < m; ++i) {
    const uint8_t* from = x + (rows == nullptr ? i : rows[i]) * n;
    if (rows != nullptr && i + kAhead < m) prefetch_row(n, x + rows[i + kAhead] * n);
    T* to = y + i * n;
#pragma omp simd
    for (Index p = 0; p < n; ++p) to[p] = static_cast<T>(from[p]);
  }
}

template <class T>
void dot_forward(Index m, Index d, const T* a, const T* b, T* y) {
  for (Index i = 0; i < m; ++i)
    y[i] = sum_pairs(d, a + i * d, b + i * d, [](T u, T v) { return u * v; });
}

template <class T>
void dot_backward(Index m, Index d, const T* a, const T* b, const T* dy, T* da, T* db) {
  for (Index i = 0; i < m; ++i) {
    const T slope = dy[i];
    const auto scaled = [slope](T u) { return slope * u; };
    if (da != nullptr) map(d, b + i * d, da + i * d, scaled);
    if (db != nullptr) map(d, a + i * d, db + i * d, scaled);
  }
}

template <class T>
void copy_columns(Index m, Index n, const T* x, Index ldx, T* y, Index ldy) {
  for (Index i = 0; i < m; ++i) copy_row(n, x + i * ldx, y + i * ldy);
}

template <class T>
void add(Index count, const T* a, const T* b, T* y) {
  map(count, a, b, y, [](T u, T v) { return u + v; });
}

template <class T>
void multiply(Index count, const T* a, const T* b, T* y) {
  map(count, a, b, y, [](T u, T v) { return u * v; });
}

template <class T>
void scale(Index count, const T* x, T factor, T offset, T* y) {
  map(count, x, y, [factor, offset](T u) { return u * factor + offset; });
}

}  // namespace

template <class T>
void add_rows(Kernels<T>& table) {
  table.gather_rows = gather_rows<T>;
  table.gather_bytes = gather_bytes<T>;
  table.dot_forward = dot_forward<T>;
  table.dot_backward = dot_backward<T>;
  table.copy_columns = copy_columns<T>;
  table.add = add<T>;
  table.multiply = multiply<T>;
  table.scale = scale<T>;
}
template void add_rows(Kernels<float>& table);
template void add_rows(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
