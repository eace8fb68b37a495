// One block of a parameter through one optimizer step, with decay, penalties and clipping around
// the rule; what kernels over whole parameters, rows of tables and missed steps share.
#pragma once

#include <type_traits>

#include "kernels/rows.h"
#include "kernels/update.h"

namespace fastnn::FASTNN_ISA {

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
    const T kept = kExtras ? extras.keep * w[j] : w[j];
    const Move<T> at = Rule::at(step, kept, gradient, a, b, c);
    const T moved = Rule::kSets ? at.move : kept - at.move;
    out[j] = kExtras ? extras.shrink(moved, at.size) : moved;
    if constexpr (Rule::kSlots & 1) s0[j] = a;
    if constexpr (Rule::kSlots & 2) s1[j] = b;
    if constexpr (Rule::kSlots & 4) s2[j] = c;
  }
}

// Calls body(rule, extras) with the rule and whether the step has extras, as types.
template <class T, class Body>
FASTNN_INLINE void with_rule(Optimizer kind, const UpdateStep<T>& step, const Arrays<T>& at,
                             Body body) {
  const auto call = [&](auto rule) {
    Extras<T>::needed(step) ? body(rule, std::true_type()) : body(rule, std::false_type());
  };
  switch (kind) {
    case Optimizer::kSgd:
      return at.s0 != nullptr ? call(Sgd()) : call(PlainSgd());
    case Optimizer::kAdagrad:
      return call(Adagrad());
    case Optimizer::kRmsprop:
      if (step.centered) {
        return at.s1 != nullptr ? call(RmspropOf<true, true>()) : call(RmspropOf<false, true>());
      }
      return at.s1 != nullptr ? call(RmspropOf<true, false>()) : call(RmspropOf<false, false>());
    case Optimizer::kFtrl:
      return step.power == T(0.5) ? call(FtrlOf<true>()) : call(FtrlOf<false>());
    case Optimizer::kAdam:
      return call(Adam());
    case Optimizer::kCount:
      return;
  }
}

}  // namespace fastnn::FASTNN_ISA
