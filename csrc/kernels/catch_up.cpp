// Rows of a table that missed steps: the steps replayed with gradients of zero, as long as momentum
// moves a weight, and the rest in closed form.
#include "kernels/update_block.h"
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {
namespace {

// The state of a block of a row, where the steps work on it.
template <class T>
struct Block {
  T w[kBlock<T>], s0[kBlock<T>], s1[kBlock<T>], s2[kBlock<T>];
};

template <class T>
FASTNN_INLINE void take(const T* from, Index left, T* block) {
  const T* padded = open(from, left, block);
  if (padded == block) return;
#pragma omp simd
  for (Index j = 0; j < kBlock<T>; ++j) block[j] = padded[j];
}

template <class T>
FASTNN_INLINE void give(const T* block, Index left, T* to) {
  if (left < kBlock<T>) return close(to, left, block);
#pragma omp simd
  for (Index j = 0; j < kBlock<T>; ++j) to[j] = block[j];
}

template <class T>
FASTNN_INLINE void multiply(T* block, T factor) {
#pragma omp simd
  for (Index j = 0; j < kBlock<T>; ++j) block[j] *= factor;
}

template <class T>
FASTNN_INLINE bool all_zero(const T* block) {
  T most = 0;
#pragma omp simd reduction(max : most)
  for (Index j = 0; j < kBlock<T>; ++j) {
    const T size = vabs(block[j]);
    most = size == 0 ? most : T(1);
  }
  return most == 0;
}

// Factors of `steps` steps without gradient, of a weight and of each slot.
template <class T>
struct Rest {
  T w, s0, s1, s2;

  Rest(const Missed<T>& missed, Index from)
      : w(power(missed.decays[missed.now] - missed.decays[from], 1)),
        s0(power(missed.fades[0], missed.now - from)),
        s1(power(missed.fades[1], missed.now - from)),
        s2(power(missed.fades[2], missed.now - from)) {}

  // A fade of 0, whose logarithm is -infinity, leaves a number of zero steps alone.
  static T power(double log, Index steps) {
    return steps == 0 || log == 0 ? T(1) : static_cast<T>(vexp(log * static_cast<double>(steps)));
  }
};

template <class T, class Rule, bool kExtras>
FASTNN_INLINE void replay(const UpdateStep<T>* steps, Index count, Block<T>& at) {
  const T none[kBlock<T>] = {};
  for (Index i = 0; i < count; ++i) {
    const UpdateStep<T> step = steps[i];
    const Extras<T> extras(step);
    update_block<T, Rule, kExtras>(step, extras, at.w, at.w, at.s0, at.s1, at.s2, none);
  }
}

// L1 alone adds up: one step as large as all together.
template <class T, class Rule>
FASTNN_INLINE void shrink(const Missed<T>& missed, Index from, Block<T>& at) {
  const T none[kBlock<T>] = {};
  UpdateStep<T> step = missed.steps[from];
  step.rate = static_cast<T>(missed.rates[missed.now] - missed.rates[from]);
  step.weight_decay = 0;
  update_block<T, Rule, true>(step, Extras<T>(step), at.w, at.w, at.s0, at.s1, at.s2, none);
}

// One row; `missed.momentum` says which slot moves weights on, if any.
template <class T, class Rule, bool kExtras>
FASTNN_INLINE void catch_up_row(const Missed<T>& missed, Index from, Index d,
                                const Arrays<T>& row) {
  const Index replayed = least(missed.most, missed.now - from);
  const Rest<T> rests[2] = {{missed, from}, {missed, from + replayed}};
  for (Index p = 0; p < d; p += kBlock<T>) {
    const Index left = d - p;
    Block<T> at;
    take(row.w + p, left, at.w);
    if constexpr (Rule::kSlots & 1) {
      if (missed.rowwise) {
        for (Index j = 0; j < kBlock<T>; ++j) at.s0[j] = row.s0[0];
      } else {
        take(row.s0 + p, left, at.s0);
      }
    }
    if constexpr (Rule::kSlots & 2) take(row.s1 + p, left, at.s1);
    if constexpr (Rule::kSlots & 4) take(row.s2 + p, left, at.s2);
    bool still = false;
    if constexpr (Rule::kSlots & 1) still = missed.momentum == 0 && all_zero(at.s0);
    if constexpr (Rule::kSlots & 2) still = still || (missed.momentum == 1 && all_zero(at.s1));
    const Index count = still && missed.closed ? 0 : replayed;
    replay<T, Rule, kExtras>(missed.steps + from, count, at);
    if (from + count < missed.now) {
      const Rest<T>& rest = rests[count == 0 ? 0 : 1];
      if (missed.l1) {
        shrink<T, Rule>(missed, from + count, at);
      } else {
        multiply(at.w, rest.w);
        if constexpr (Rule::kSlots & 1) multiply(at.s0, rest.s0);
        if constexpr (Rule::kSlots & 2) multiply(at.s1, rest.s1);
        if constexpr (Rule::kSlots & 4) multiply(at.s2, rest.s2);
      }
    }
    give(at.w, left, row.w + p);
    if (missed.rowwise) continue;
    if constexpr (Rule::kSlots & 1) give(at.s0, left, row.s0 + p);
    if constexpr (Rule::kSlots & 2) give(at.s1, left, row.s1 + p);
    if constexpr (Rule::kSlots & 4) give(at.s2, left, row.s2 + p);
  }
}

constexpr Index kRowsAhead = 4;  // rows between a prefetch and its use

template <class T>
void catch_up_rows(Optimizer kind, const Missed<T>& missed, Index count, Index d,
                   const int32_t* rows, int32_t* last, T* w, T* s0, T* s1, T* s2) {
  if (missed.now == 0) {
    for (Index i = 0; i < count; ++i)
      last[rows == nullptr ? i : rows[i]] = static_cast<int32_t>(missed.then);
    return;
  }
  const Arrays<T> at{w, s0, s1, s2, nullptr};
  with_rule(kind, missed.steps[0], at, [&](auto rule, auto extras) {
    using Rule = decltype(rule);
    const Index width = missed.rowwise ? 1 : d;
    for (Index i = 0; i < count; ++i) {
      if (rows != nullptr && i + kRowsAhead < count) {
        const Index next = rows[i + kRowsAhead];
        prefetch_row(d, w + next * d);
        if constexpr (Rule::kSlots & 1) prefetch_row(width, s0 + next * width);
        if constexpr (Rule::kSlots & 2) prefetch_row(d, s1 + next * d);
        if constexpr (Rule::kSlots & 4) prefetch_row(d, s2 + next * d);
      }
      const Index row = rows == nullptr ? i : rows[i];
      const Index from = last[row];
      last[row] = static_cast<int32_t>(missed.then);
      if (from >= missed.now) continue;
      const auto slot = [&](T* s, Index n) { return s == nullptr ? s : s + row * n; };
      catch_up_row<T, Rule, decltype(extras)::value>(
          missed, from, d, {w + row * d, slot(s0, width), slot(s1, d), slot(s2, d), nullptr});
    }
  });
}

}  // namespace

template <class T>
void add_catch_up(Kernels<T>& table) {
  table.catch_up_rows = catch_up_rows<T>;
}
template void add_catch_up(Kernels<float>& table);
template void add_catch_up(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
