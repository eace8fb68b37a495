// Elementwise activations and softmax, forward and backward.
#include "kernels/activations.h"

#include "kernels/reduce.h"

namespace fastnn::FASTNN_ISA {
namespace {

template <class T, class F>
void forward(Index count, const T* x, T* y) {
  map(count, x, y, [](T a) { return F::value(a); });
}

template <class T, class F>
void backward(Index count, const T* x, const T* y, const T* dy, T* dx) {
  map(count, F::reads_input ? x : y, dy, dx, [](T a, T d) { return d * F::derivative(a); });
}

template <class T, class... Fs>
void forward_of(List<Fs...>, Activation f, Index count, const T* x, T* y) {
  static constexpr void (*kTable[])(Index, const T*, T*) = {&forward<T, Fs>...};
  kTable[static_cast<int>(f)](count, x, y);
}

template <class T, class... Fs>
void backward_of(List<Fs...>, Activation f, Index count, const T* x, const T* y, const T* dy,
                 T* dx) {
  static constexpr void (*kTable[])(Index, const T*, const T*, const T*,
                                    T*) = {&backward<T, Fs>...};
  kTable[static_cast<int>(f)](count, x, y, dy, dx);
}

template <class T>
void activation_backward(Activation f, Index count, const T* x, const T* y, const T* dy, T* dx) {
  backward_of(Activations{}, f, count, x, y, dy, dx);
}

template <class T>
void softmax_forward(Index m, Index n, const T* x, T* y) {
  for (Index i = 0; i < m; ++i, x += n, y += n) {
    const T total = exp_row(n, x, row_max(n, x), y);
    map(n, y, y, [total](T e) { return e / total; });
  }
}

template <class T>
void softmax_backward(Index m, Index n, const T* y, const T* dy, T* dx) {
  for (Index i = 0; i < m; ++i, y += n, dy += n, dx += n) {
    const T along = sum_pairs(n, y, dy, [](T a, T d) { return a * d; });
    map(n, y, dy, dx, [along](T a, T d) { return a * (d - along); });
  }
}

}  // namespace

template <class T>
void activate(Activation f, Index count, const T* x, T* y) {
  forward_of(Activations{}, f, count, x, y);
}
template void activate(Activation f, Index count, const float* x, float* y);
template void activate(Activation f, Index count, const double* x, double* y);

template <class T>
void add_activations(Kernels<T>& table) {
  table.activation_forward = activate<T>;
  table.activation_backward = activation_backward<T>;
  table.softmax_forward = softmax_forward<T>;
  table.softmax_backward = softmax_backward<T>;
}
template void add_activations(Kernels<float>& table);
template void add_activations(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
