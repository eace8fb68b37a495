// One optimizer step on a piece of a parameter, with decay, penalties and clipping fused in.
#include "kernels/update_block.h"

namespace fastnn::FASTNN_ISA {
namespace {

// One block of weights written past the caches; w is 64-byte aligned.
FASTNN_INLINE void stream_block(void* w, const void* block) {
#if defined(__SSE2__) && !defined(__clang__)
  using Four = float __attribute__((vector_size(16)));
  for (int i = 0; i < 4; ++i) {
    Four four;
    std::memcpy(&four, static_cast<const char*>(block) + 16 * i, 16);
    __builtin_ia32_movntps(static_cast<float*>(w) + 4 * i, four);
  }
#else
  std::memcpy(w, block, 64);
#endif
}

// Streamed stores become visible before what follows.
FASTNN_INLINE void fence() {
#if defined(__SSE2__) && !defined(__clang__)
  __builtin_ia32_sfence();
#endif
}

template <class T, class Rule, bool kExtras>
void run(const UpdateStep<T>& given, Index count, const Arrays<T>& at, bool stream) {
  constexpr Index kLanes = kBlock<T>;
  const UpdateStep<T> step = given;  // a copy: w may not alias it
  const Extras<T> extras(step);
  T w_copy[kLanes], g_copy[kLanes], out_copy[kLanes], s0_copy[kLanes], s1_copy[kLanes],
      s2_copy[kLanes];
  // When streaming, a short first block makes the others aligned.
  const Index skew = static_cast<Index>(reinterpret_cast<uintptr_t>(at.w) % 64 / sizeof(T));
  Index end = stream && skew != 0 ? kLanes - skew : kLanes;
  for (Index i = 0; i < count; i = end, end += kLanes) {
    const Index left = (end < count ? end : count) - i;
    const bool whole = left == kLanes;
    T* w = open(at.w + i, left, w_copy);
    const T* g = open(at.g + i, left, g_copy);
    T* s0 = Rule::kSlots & 1 ? open(at.s0 + i, left, s0_copy) : nullptr;
    T* s1 = Rule::kSlots & 2 ? open(at.s1 + i, left, s1_copy) : nullptr;
    T* s2 = Rule::kSlots & 4 ? open(at.s2 + i, left, s2_copy) : nullptr;
    T* out = whole && !stream ? w : out_copy;
    update_block<T, Rule, kExtras>(step, extras, w, out, s0, s1, s2, g);
    if (stream && whole) stream_block(w, out);
    close(at.w + i, left, out_copy);
    if constexpr (Rule::kSlots & 1) close(at.s0 + i, left, s0_copy);
    if constexpr (Rule::kSlots & 2) close(at.s1 + i, left, s1_copy);
    if constexpr (Rule::kSlots & 4) close(at.s2 + i, left, s2_copy);
  }
  if (stream) fence();
}

// Rows of one number each: a block of rows is collected, updated and put back.
template <class T, class Rule, bool kExtras>
void run_numbers(const UpdateStep<T>& step, Index count, const int32_t* rows, const Arrays<T>& at) {
  const Extras<T> extras(step);
  T w[kBlock<T>], s0[kBlock<T>], s1[kBlock<T>], s2[kBlock<T>], g[kBlock<T>];
  for (Index i = 0; i < count; i += kBlock<T>) {
    const Index n = count - i < kBlock<T> ? count - i : kBlock<T>;
    for (Index j = 0; j < kBlock<T>; ++j) {
      const Index row = rows[i + (j < n ? j : 0)];
      w[j] = at.w[row];
      if constexpr (Rule::kSlots & 1) s0[j] = at.s0[row];
      if constexpr (Rule::kSlots & 2) s1[j] = at.s1[row];
      if constexpr (Rule::kSlots & 4) s2[j] = at.s2[row];
      g[j] = at.g[i + (j < n ? j : 0)];
    }
    update_block<T, Rule, kExtras>(step, extras, w, w, s0, s1, s2, g);
    for (Index j = 0; j < n; ++j) {
      const Index row = rows[i + j];
      at.w[row] = w[j];
      if constexpr (Rule::kSlots & 1) at.s0[row] = s0[j];
      if constexpr (Rule::kSlots & 2) at.s1[row] = s1[j];
      if constexpr (Rule::kSlots & 4) at.s2[row] = s2[j];
    }
  }
}

// Asks for a row of a table and of its slots.
template <class T, class Rule>
FASTNN_INLINE void prefetch_rows(Index d, Index from, const Arrays<T>& at) {
  prefetch_row(d, at.w + from);
  if constexpr (Rule::kSlots & 1) prefetch_row(d, at.s0 + from);
  if constexpr (Rule::kSlots & 2) prefetch_row(d, at.s1 + from);
  if constexpr (Rule::kSlots & 4) prefetch_row(d, at.s2 + from);
}

constexpr Index kRowsAhead = 8;  // rows between a prefetch and its use

template <class T, class Rule, bool kExtras>
void run_rows(const UpdateStep<T>& given, Index count, Index more, Index d, const int32_t* rows,
              const Arrays<T>& at) {
  if (d == 1) return run_numbers<T, Rule, kExtras>(given, count, rows, at);
  for (Index i = 0; i < count; ++i) {
    if (i + kRowsAhead < count + more) prefetch_rows<T, Rule>(d, rows[i + kRowsAhead] * d, at);
    const Index from = rows[i] * d;
    const auto slot = [from](T* s) { return s == nullptr ? s : s + from; };
    run<T, Rule, kExtras>(
        given, d, {at.w + from, slot(at.s0), slot(at.s1), slot(at.s2), at.g + i * d}, false);
  }
}

// Adagrad with one accumulator a row: s0[v] gains the mean of the row's squared gradients.
template <class T>
void run_rowwise(const UpdateStep<T>& given, Index count, Index more, Index d, const int32_t* rows,
                 const Arrays<T>& at) {
  const UpdateStep<T> step = given;
  const Extras<T> extras(step);
  T w_copy[kBlock<T>], g_copy[kBlock<T>];
  for (Index i = 0; i < count; ++i) {
    if (i + kRowsAhead < count + more) {
      const Index next = rows == nullptr ? i + kRowsAhead : rows[i + kRowsAhead];
      prefetch_row(d, at.w + next * d);
      __builtin_prefetch(at.s0 + next);
    }
    const Index row = rows == nullptr ? i : rows[i];
    T* w = at.w + row * d;
    const T* g = at.g + i * d;
    T lanes[kBlock<T>] = {};
    for (Index p = 0; p < d; p += kBlock<T>) {
      const T* from = open(g + p, d - p, g_copy);
      const T* old = open(w + p, d - p, w_copy);
#pragma omp simd
      for (Index j = 0; j < kBlock<T>; ++j) {
        const T gradient = extras.gradient(from[j], old[j]);
        lanes[j] += gradient * gradient;
      }
    }
    T total = 0;
    for (Index j = 0; j < kBlock<T>; ++j) total += lanes[j];
    at.s0[row] += total / static_cast<T>(d);
    const T size = step.rate / (vsqrt(at.s0[row]) + step.epsilon);
    for (Index p = 0; p < d; p += kBlock<T>) {
      const T* from = open(g + p, d - p, g_copy);
      T* out = open(w + p, d - p, w_copy);
#pragma omp simd
      for (Index j = 0; j < kBlock<T>; ++j) {
        const T gradient = extras.gradient(from[j], out[j]);
        out[j] = extras.shrink(extras.keep * out[j] - size * gradient, size);
      }
      close(w + p, d - p, w_copy);
    }
  }
}

template <class T>
void update(Optimizer kind, const UpdateStep<T>& step, Index count, T* w, T* s0, T* s1, T* s2,
            const T* g, bool stream) {
  const Arrays<T> at{w, s0, s1, s2, g};
  stream = stream && reinterpret_cast<uintptr_t>(w) % sizeof(T) == 0;
  with_rule(kind, step, at, [&](auto rule, auto extras) {
    run<T, decltype(rule), decltype(extras)::value>(step, count, at, stream);
  });
}

template <class T>
void update_rows(Optimizer kind, const UpdateStep<T>& step, Index count, Index more, Index d,
                 const int32_t* rows, T* w, T* s0, T* s1, T* s2, const T* g) {
  const Arrays<T> at{w, s0, s1, s2, g};
  if (step.rowwise) return run_rowwise(step, count, more, d, rows, at);
  with_rule(kind, step, at, [&](auto rule, auto extras) {
    run_rows<T, decltype(rule), decltype(extras)::value>(step, count, more, d, rows, at);
  });
}

template <class T>
void regularize(Index count, const T* w, T l2, T clip_value, T* g) {
  const T l2_twice = T(2) * l2;
  const T bound = clip_value > 0 ? clip_value : Real<T>::kInf;
  map(count, w, g, g, [l2_twice, bound](T a, T d) { return clip(d + l2_twice * a, bound); });
}

}  // namespace

template <class T>
void add_update(Kernels<T>& table) {
  table.update = update<T>;
  table.update_rows = update_rows<T>;
  table.regularize = regularize<T>;
}
template void add_update(Kernels<float>& table);
template void add_update(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
