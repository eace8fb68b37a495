// One struct per activation: its name, its value, and its derivative in terms of the output y
// (of the input x where reads_input says so).
#pragma once

#include "kernels/vmath.h"

namespace fastnn::FASTNN_ISA {

struct Identity {
  static constexpr const char* name = "identity";
  static constexpr bool reads_input = false;
  template <class T>
  static FASTNN_INLINE T value(T x) {
    return x;
  }
  template <class T>
  static FASTNN_INLINE T derivative(T) {
    return T(1);
  }
};

struct Relu {
  static constexpr const char* name = "relu";
  static constexpr bool reads_input = false;
  template <class T>
  static FASTNN_INLINE T value(T x) {
    return x < 0 ? T(0) : x;
  }
  template <class T>
  static FASTNN_INLINE T derivative(T y) {
    return y > 0 ? T(1) : T(0);
  }
};

struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  static constexpr bool reads_input = false;
  template <class T>
  static FASTNN_INLINE T value(T x) {
    return x < 0 ? T(0.01) * x : x;
  }
  template <class T>
  static FASTNN_INLINE T derivative(T y) {
    return y > 0 ? T(1) : T(0.01);
  }
};

struct Elu {
  static constexpr const char* name = "elu";
  static constexpr bool reads_input = false;
  template <class T>
  static FASTNN_INLINE T value(T x) {
    const T below = vexpm1(x < 0 ? x : T(0));
    return x < 0 ? below : x;
  }
  template <class T>
  static FASTNN_INLINE T derivative(T y) {
    return y > 0 ? T(1) : y + T(1);
  }
};

struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr bool reads_input = true;
  template <class T>
  static FASTNN_INLINE T value(T x) {
    return vgelu(x).value;
  }
  template <class T>
  static FASTNN_INLINE T derivative(T x) {
    return vgelu(x).slope;
  }
};

struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr bool reads_input = false;
  template <class T>
  static FASTNN_INLINE T value(T x) {
    const T e = vexp(-vabs(x));
    return (x < 0 ? e : T(1)) / (T(1) + e);
  }
  template <class T>
  static FASTNN_INLINE T derivative(T y) {
    return y * (T(1) - y);
  }
};

struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr bool reads_input = false;
  template <class T>
  static FASTNN_INLINE T value(T x) {
    return vtanh(x);
  }
  template <class T>
  static FASTNN_INLINE T derivative(T y) {
    return T(1) - y * y;
  }
};

struct Softplus {
  static constexpr const char* name = "softplus";
  static constexpr bool reads_input = false;
  template <class T>
  static FASTNN_INLINE T value(T x) {
    return (x < 0 ? T(0) : x) + vlog1p(vexp(-vabs(x)));
  }
  template <class T>
  static FASTNN_INLINE T derivative(T y) {
    return -vexpm1(-y);
  }
};

// Types as a list, so that tables and names follow from one line.
template <class... Items>
struct List {
  static constexpr int size = sizeof...(Items);
  static constexpr const char* names[] = {Items::name...};
};

// In the order of enum Activation.
using Activations = List<Identity, Relu, LeakyRelu, Elu, Gelu, Sigmoid, Tanh, Softplus>;
static_assert(Activations::size == static_cast<int>(Activation::kCount));

// y[count] = f(x); y may be x.
template <class T>
void activate(Activation f, Index count, const T* x, T* y);

}  // namespace fastnn::FASTNN_ISA
