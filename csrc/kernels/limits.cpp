// The machine's limits, for benches: multiply-adds in registers alone, random rows in memory alone.
#include "kernels/rows.h"
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {
namespace {

// Chains that wait for nobody but themselves: more than latency times units of any core so far.
constexpr int kChains = kVectorRegisters - 4;

template <class T>
double multiply_adds(Index rounds, T* sum) {
  Vector<T> chain[kChains];
#pragma GCC unroll 32
  for (int i = 0; i < kChains; ++i) chain[i] = broadcast(static_cast<T>(i));
  const Vector<T> factor = broadcast(static_cast<T>(0.5)), term = broadcast(static_cast<T>(1));
  for (Index round = 0; round < rounds; ++round) {
#pragma GCC unroll 32
    for (int i = 0; i < kChains; ++i) chain[i] = chain[i] * factor + term;
  }
  Vector<T> total = {};
#pragma GCC unroll 32
  for (int i = 0; i < kChains; ++i) total += chain[i];
  *sum = 0;
  for (int lane = 0; lane < kLanes<T>; ++lane) *sum += total[lane];
  return 2.0 * kChains * kLanes<T> * static_cast<double>(rounds);
}

constexpr Index kRowsAhead = 12;  // rows between a prefetch and its use

template <class T>
void random_rows(Index count, Index d, const int32_t* rows, T* w) {
  for (Index i = 0; i < count; ++i) {
    if (i + kRowsAhead < count) prefetch_row(d, w + rows[i + kRowsAhead] * d);
    T* row = w + rows[i] * d;
#pragma omp simd
    for (Index j = 0; j < d; ++j) row[j] = row[j] * T(0.5) + T(1);
  }
}

}  // namespace

template <class T>
void add_limits(Kernels<T>& table) {
  table.multiply_adds = multiply_adds<T>;
  table.random_rows = random_rows<T>;
}
template void add_limits(Kernels<float>& table);
template void add_limits(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
