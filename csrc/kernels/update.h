// One struct per optimizer rule: from a gradient and its slots to a move of the weight.
#pragma once

#include "kernels/activations.h"

namespace fastnn::FASTNN_ISA {

// w -= move, or w = move if the rule says kSets; the proximal step of an L1 penalty shrinks by
// l1 * size.
template <class T>
struct Move {
  T move, size;
};

// kSlots: which of s0, s1, s2 a rule has, as bits. at(): g after penalty and clipping, w after
// decay.
struct Moves {
  static constexpr bool kSets = false;
};

struct Sgd : Moves {
  static constexpr const char* name = "sgd";
  static constexpr int kSlots = 1;
  template <class T>
  static FASTNN_INLINE Move<T> at(const UpdateStep<T>& step, T, T g, T& momentum, T&, T&) {
    momentum = step.momentum * momentum + g;
    const T ahead = g + step.momentum * momentum;
    return {step.rate * (step.nesterov ? ahead : momentum), step.rate};
  }
};

// sgd without momentum keeps no slot.
struct PlainSgd : Moves {
  static constexpr int kSlots = 0;
  template <class T>
  static FASTNN_INLINE Move<T> at(const UpdateStep<T>& step, T, T g, T&, T&, T&) {
    return {step.rate * g, step.rate};
  }
};

struct Adagrad : Moves {
  static constexpr const char* name = "adagrad";
  static constexpr int kSlots = 1;
  template <class T>
  static FASTNN_INLINE Move<T> at(const UpdateStep<T>& step, T, T g, T& accumulator, T&, T&) {
    accumulator += g * g;
    const T size = step.rate / (vsqrt(accumulator) + step.epsilon);
    return {size * g, size};
  }
};

template <bool kMomentum, bool kCentered>
struct RmspropOf : Moves {
  static constexpr const char* name = "rmsprop";
  static constexpr int kSlots = 1 + 2 * kMomentum + 4 * kCentered;
  template <class T>
  static FASTNN_INLINE Move<T> at(const UpdateStep<T>& step, T, T g, T& velocity, T& momentum,
                                  T& average) {
    const T rest = T(1) - step.decay_2;
    velocity = step.decay_2 * velocity + rest * (g * g);
    T variance = velocity;
    if constexpr (kCentered) {
      average = step.decay_2 * average + rest * g;
      variance -= average * average;
      variance = variance < 0 ? T(0) : variance;  // by rounding only
    }
    const T size = step.rate / (vsqrt(variance) + step.epsilon);
    T move = size * g;
    if constexpr (kMomentum) {
      const T scaled = g / (vsqrt(variance) + step.epsilon);
      momentum = step.momentum * momentum + scaled;
      move = step.rate * momentum;
    }
    return {move, size};
  }
};
using Rmsprop = RmspropOf<false, false>;

struct Adam : Moves {
  static constexpr const char* name = "adam";
  static constexpr int kSlots = 3;
  template <class T>
  static FASTNN_INLINE Move<T> at(const UpdateStep<T>& step, T, T g, T& m, T& v, T&) {
    m = step.decay_1 * m + (T(1) - step.decay_1) * g;
    v = step.decay_2 * v + (T(1) - step.decay_2) * (g * g);
    const T size = step.rate / (vsqrt(v) * step.correction_2 + step.epsilon);
    return {size * (step.correction_1 * m), size};
  }
};

// FTRL-Proximal: McMahan et al., "Ad click prediction: a view from the trenches", 2013. Where there
// is no gradient (or no step) nothing changes, so that a row left alone is as good as updated.
template <bool kRoot>
struct FtrlOf {
  static constexpr const char* name = "ftrl";
  static constexpr bool kSets = true;
  static constexpr int kSlots = 3;

  template <class T>
  static FASTNN_INLINE T power(const UpdateStep<T>& step, T n) {
    if constexpr (kRoot) return vsqrt(n);
    const T some = vexp(step.power * vlog(n));
    return n == 0 ? T(step.power == 0) : some;
  }
  template <class T>
  static FASTNN_INLINE Move<T> at(const UpdateStep<T>& step, T w, T g, T& accumulator, T& linear,
                                  T&) {
    const bool still = (g == 0) | (step.rate == 0);
    const T n = accumulator + g * g;
    const T after = power(step, n);
    const T sigma = (after - power(step, accumulator)) / step.rate;
    const T z = linear + (g - sigma * w);
    const T size = step.rate / (after + step.beta + T(2) * step.strength_2 * step.rate);
    const T rest = vabs(z) - step.strength_1;
    const T value = rest <= 0 ? T(0) : -vcopysign(rest, z) * size;
    accumulator = still ? accumulator : n;
    linear = still ? linear : z;
    return {still ? w : value, still ? T(0) : size};
  }
};
using Ftrl = FtrlOf<true>;

// In the order of enum Optimizer.
using Optimizers = List<Sgd, Adagrad, Rmsprop, Ftrl, Adam>;
static_assert(Optimizers::size == static_cast<int>(Optimizer::kCount));

}  // namespace fastnn::FASTNN_ISA
