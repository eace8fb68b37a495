// Sums of columns.
#include "kernels/columns.h"

namespace fastnn::FASTNN_ISA {
namespace {

template <class T, int kVectors, class Access>
FASTNN_INLINE void sum_piece(Index rows, const T* x, Index ldx, Access access,
                             Vector<T> (&sums)[kVectors]) {
  for (Index i = 0; i < rows; ++i)
    for (int v = 0; v < kVectors; ++v) sums[v] += access.read(x + i * ldx + v * kLanes<T>);
}

// One piece needs no totals.
template <class T>
void sum_few_rows(Index m, Index n, const T* x, Index ldx, T* sums) {
  for_lanes<T, kMostSums>(n, [&](Index j, auto vectors, auto access) {
    Vector<T> sum[vectors] = {};
    sum_piece(m, x + j, ldx, access, sum);
    for (int v = 0; v < vectors; ++v) access.write(sums + j + v * kLanes<T>, sum[v]);
  });
}

template <class T>
void column_sums(Index m, Index n, const T* x, Index ldx, T* sums) {
  if (m <= kPiece) return sum_few_rows(m, n, x, ldx, sums);
  const Wide wide = ldx == n ? widen<T>(m, n) : Wide{m, n, 1, 0};
  const Index stride = wide.side == 1 ? ldx : wide.n;
  const T* rest = x + wide.m * wide.n;  // nothing left where rows lie apart
  const bool far = ldx == n && is_far<T>(m * n);
  for (Index begin = 0; begin < n; begin += kPanel) {
    const Index width = least(kPanel, n - begin), end = begin + width * wide.side;
    Totals total;
    for_pieces<T>(wide, begin, end, far, [&](Piece p, Index j, auto vectors, auto access) {
      Vector<T> sum[vectors] = {};
      for (Index r = 0; r < p.rows; ++r) {
        p.template ask_next<vectors>(x, r);
        sum_piece(1, x + (p.begin + r) * stride + j, stride, access, sum);
      }
      total.add<T>(j - begin, sum);
    });
    for (Index j = 0; j < width; ++j) {
      double all = 0;
      for (Index at = j; at < width * wide.side; at += n) all += total.of[at];
      for (Index at = j; at < wide.left; at += n) all += static_cast<double>(rest[at]);
      sums[begin + j] = static_cast<T>(all);
    }
  }
}

}  // namespace

template <class T>
void add_columns(Kernels<T>& table) {
  table.column_sums = column_sums<T>;
}
template void add_columns(Kernels<float>& table);
template void add_columns(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
