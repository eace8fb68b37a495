// One optimizer step on a piece of a parameter, with decay, penalties and clipping fused in.
#include "kernels/update.h"

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

template <class T>
FASTNN_INLINE T clip(T g, T bound) {
  g = g > bound ? bound : g;
  return g < -bound ? -bound : g;
}

// The parts that most steps do without.
template <class T>
struct Extras {
  T l2_twice, bound, scale, keep, l1;

  explicit Extras(const UpdateStep<T>& step)
      : l2_twice(T(2) * step.l2),
        bound(step.clip_value > 0 ? step.clip_value : Real<T>::kInf),
        scale(step.gradient_scale),
        keep(T(1) - step.rate * step.weight_decay),
        l1(step.l1) {}

  static bool needed(const UpdateStep<T>& step) {
    return step.weight_decay != 0 || step.l1 != 0 || step.l2 != 0 || step.clip_value != 0 ||
           step.gradient_scale != 1;
  }
  FASTNN_INLINE T gradient(T g, T w) const { return clip(g + l2_twice * w, bound) * scale; }
  FASTNN_INLINE T shrink(T w, T size) const {
    const T rest = vabs(w) - size * l1;
    return vcopysign(rest < 0 ? T(0) : rest, w);
  }
};

template <class T>
struct Arrays {
  T *w, *s0, *s1, *s2;
  const T* g;
};

template <class T, class Rule, bool kExtras>
FASTNN_INLINE void update_block(const UpdateStep<T>& step, const Extras<T>& extras, const T* w,
                                T* out, T* s0, T* s1, T* s2, const T* g) {
#pragma omp simd
  for (Index j = 0; j < kBlock<T>; ++j) {
    T a = 0, b = 0, c = 0;
    if constexpr (Rule::kSlots & 1) a = s0[j];
    if constexpr (Rule::kSlots & 2) b = s1[j];
    if constexpr (Rule::kSlots & 4) c = s2[j];
    const T gradient = kExtras ? extras.gradient(g[j], w[j]) : g[j];
    const Move<T> at = Rule::at(step, gradient, a, b, c);
    if constexpr (kExtras) {
      out[j] = extras.shrink(extras.keep * w[j] - at.move, at.size);
    } else {
      out[j] = w[j] - at.move;
    }
    if constexpr (Rule::kSlots & 1) s0[j] = a;
    if constexpr (Rule::kSlots & 2) s1[j] = b;
    if constexpr (Rule::kSlots & 4) s2[j] = c;
  }
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

template <class T, class Rule>
void run(const UpdateStep<T>& step, Index count, const Arrays<T>& at, bool stream) {
  if (Extras<T>::needed(step)) {
    run<T, Rule, true>(step, count, at, stream);
  } else {
    run<T, Rule, false>(step, count, at, stream);
  }
}

template <class T>
void update(Optimizer kind, const UpdateStep<T>& step, Index count, T* w, T* s0, T* s1, T* s2,
            const T* g, bool stream) {
  const Arrays<T> at{w, s0, s1, s2, g};
  stream = stream && reinterpret_cast<uintptr_t>(w) % sizeof(T) == 0;
  switch (kind) {
    case Optimizer::kSgd:
      return s0 != nullptr ? run<T, Sgd>(step, count, at, stream)
                           : run<T, PlainSgd>(step, count, at, stream);
    case Optimizer::kAdagrad:
      return run<T, Adagrad>(step, count, at, stream);
    case Optimizer::kRmsprop:
      if (step.centered) {
        return s1 != nullptr ? run<T, RmspropOf<true, true>>(step, count, at, stream)
                             : run<T, RmspropOf<false, true>>(step, count, at, stream);
      }
      return s1 != nullptr ? run<T, RmspropOf<true, false>>(step, count, at, stream)
                           : run<T, RmspropOf<false, false>>(step, count, at, stream);
    case Optimizer::kAdam:
      return run<T, Adam>(step, count, at, stream);
    case Optimizer::kCount:
      return;
  }
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
  table.regularize = regularize<T>;
}
template void add_update(Kernels<float>& table);
template void add_update(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
