// One struct per loss: its name, and its value and gradient for one prediction z and target t
// (logits z for the cross-entropies). delta is huber's.
#pragma once

#include "kernels/activations.h"

namespace fastnn::FASTNN_ISA {

template <class T>
struct ValueGradient {
  T value, gradient;
};

struct MeanSquaredError {
  static constexpr const char* name = "mean_squared_error";
  template <class T>
  static FASTNN_INLINE ValueGradient<T> at(T z, T t, T) {
    const T e = z - t;
    return {e * e, e + e};
  }
};

struct MeanAbsoluteError {
  static constexpr const char* name = "mean_absolute_error";
  template <class T>
  static FASTNN_INLINE ValueGradient<T> at(T z, T t, T) {
    const T e = z - t;
    return {vabs(e), e == 0 ? T(0) : vcopysign(T(1), e)};
  }
};

struct Huber {
  static constexpr const char* name = "huber";
  template <class T>
  static FASTNN_INLINE ValueGradient<T> at(T z, T t, T delta) {
    const T e = z - t;
    const T size = vabs(e);
    const T cut = size > delta ? delta : size;  // cut (|e| - cut / 2) is both branches at once
    return {cut * (size - T(0.5) * cut), vcopysign(cut, e)};
  }
};

// log(1 + exp(z)) - z t, whose derivative is sigmoid(z) - t.
struct BinaryCrossentropy {
  static constexpr const char* name = "binary_crossentropy";
  template <class T>
  static FASTNN_INLINE ValueGradient<T> at(T z, T t, T) {
    const T e = vexp(-vabs(z));
    const T sigmoid = (z < 0 ? e : T(1)) / (T(1) + e);
    return {(z < 0 ? T(0) : z) - z * t + vlog1p(e), sigmoid - t};
  }
};

// Over a whole row of logits and a label: log(sum(exp(z))) - z[label]; see loss_labels.
struct CategoricalCrossentropy {
  static constexpr const char* name = "categorical_crossentropy";
};

// In the order of enum Loss; the last one takes labels.
using ElementLosses = List<MeanSquaredError, MeanAbsoluteError, Huber, BinaryCrossentropy>;
using Losses =
    List<MeanSquaredError, MeanAbsoluteError, Huber, BinaryCrossentropy, CategoricalCrossentropy>;
static_assert(Losses::size == static_cast<int>(Loss::kCount));

}  // namespace fastnn::FASTNN_ISA
