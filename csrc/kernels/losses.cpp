// Losses with their gradients, metrics, fixed-order sums, and the penalty on activities.
#include "kernels/losses.h"

#include "kernels/reduce.h"

namespace fastnn::FASTNN_ISA {
namespace {

// Metrics are losses without a gradient.
struct BinaryMatch {
  template <class T>
  static FASTNN_INLINE ValueGradient<T> at(T z, T t, T threshold) {
    return {(z > threshold ? T(1) : T(0)) == t ? T(1) : T(0), T(0)};
  }
};

template <class T>
struct Rows {
  Index m, n;
  const T* z;
  const T* target;
  const T* weights;  // null: ones
  T scale, setting;
  T* losses;
  T* dz;  // null: no gradient
};

// One output: rows are elements, a block holds as many rows as lanes.
template <class T, class F>
void measure_single(const Rows<T>& rows) {
  constexpr Index kLanes = kBlock<T>;
  T in_z[kLanes], in_t[kLanes], in_w[kLanes], ones[kLanes], values[kLanes], slopes[kLanes];
  for (Index j = 0; j < kLanes; ++j) ones[j] = 1;
  for (Index i = 0; i < rows.m; i += kLanes) {
    const Index left = rows.m - i;
    const bool whole = left >= kLanes;
    const T* z = open(rows.z + i, left, in_z);
    const T* t = open(rows.target + i, left, in_t);
    const T* w = rows.weights != nullptr ? open(rows.weights + i, left, in_w) : ones;
    T* value = whole ? rows.losses + i : values;
    T* slope = whole && rows.dz != nullptr ? rows.dz + i : slopes;
#pragma omp simd
    for (Index j = 0; j < kLanes; ++j) {
      const ValueGradient<T> at = F::at(z[j], t[j], rows.setting);
      value[j] = w[j] * at.value;
      slope[j] = w[j] * rows.scale * at.gradient;
    }
    close(rows.losses + i, left, values);
    if (rows.dz != nullptr) close(rows.dz + i, left, slopes);
  }
}

// One row of several outputs: returns the sum of its values, writes factor * gradient.
template <class T, class F>
FASTNN_INLINE T measure_row(Index n, const T* z, const T* target, T setting, T factor, T* dz) {
  constexpr Index kLanes = kBlock<T>;
  T in_z[kLanes], in_t[kLanes], slopes[kLanes], lanes[kLanes] = {};
  for (Index p = 0; p < n; p += kLanes) {
    const Index left = n - p;
    const T* a = open(z + p, left, in_z);
    const T* t = open(target + p, left, in_t);
    T* slope = dz != nullptr && left >= kLanes ? dz + p : slopes;
#pragma omp simd
    for (Index j = 0; j < kLanes; ++j) {
      const ValueGradient<T> at = F::at(a[j], t[j], setting);
      lanes[j] += j < left ? at.value : T(0);
      slope[j] = factor * at.gradient;
    }
    if (dz != nullptr) close(dz + p, left, slopes);
  }
  return lane_sum(lanes);
}

template <class T, class F>
void measure(const Rows<T>& rows) {
  if (rows.n == 1) return measure_single<T, F>(rows);
  const T share = rows.n > 0 ? T(1) / static_cast<T>(rows.n) : T(0);
  for (Index i = 0; i < rows.m; ++i) {
    const T weight = (rows.weights != nullptr ? rows.weights[i] : T(1)) * share;
    const Index at = i * rows.n;
    T* dz = rows.dz != nullptr ? rows.dz + at : nullptr;
    rows.losses[i] = weight * measure_row<T, F>(rows.n, rows.z + at, rows.target + at, rows.setting,
                                                weight * rows.scale, dz);
  }
}

template <class T, class... Fs>
void measure_of(List<Fs...>, Loss kind, const Rows<T>& rows) {
  static constexpr void (*kTable[])(const Rows<T>&) = {&measure<T, Fs>...};
  kTable[static_cast<int>(kind)](rows);
}

template <class T>
void loss(Loss kind, Index m, Index n, const T* z, const T* target, const T* weights, T scale,
          T delta, T* losses, T* dz) {
  measure_of(ElementLosses{}, kind, Rows<T>{m, n, z, target, weights, scale, delta, losses, dz});
}

template <class T>
void loss_labels(Index m, Index n, const T* z, const int32_t* labels, const T* weights, T scale,
                 T* losses, T* dz) {
  for (Index i = 0; i < m; ++i, z += n) {
    const T weight = weights != nullptr ? weights[i] : T(1);
    const T largest = row_max(n, z);
    const T chosen = z[labels[i]] - largest;  // read first: dz may be z
    const T total = exp_row(n, z, largest, dz);
    losses[i] = weight * (vlog(total) - chosen);
    if (dz == nullptr) continue;
    const T factor = weight * scale;
    const T share = factor / total;
    map(n, dz, dz, [share](T e) { return e * share; });
    dz[labels[i]] -= factor;
    dz += n;
  }
}

template <class T>
void metric_squared(Index m, Index n, const T* z, const T* target, const T* weights, T* out) {
  measure<T, MeanSquaredError>({m, n, z, target, weights, T(0), T(0), out, nullptr});
}

template <class T>
void metric_absolute(Index m, Index n, const T* z, const T* target, const T* weights, T* out) {
  measure<T, MeanAbsoluteError>({m, n, z, target, weights, T(0), T(0), out, nullptr});
}

template <class T>
void metric_binary(Index m, Index n, const T* z, const T* target, const T* weights, T threshold,
                   T* out) {
  measure<T, BinaryMatch>({m, n, z, target, weights, T(0), threshold, out, nullptr});
}

template <class T>
void metric_labels(Index m, Index n, const T* z, const int32_t* labels, const T* weights, T* out) {
  for (Index i = 0; i < m; ++i, z += n) {
    const T largest = row_max(n, z);
    Index first = 0;
    while (first < n && z[first] != largest) ++first;
    const T weight = weights != nullptr ? weights[i] : T(1);
    out[i] = first == labels[i] ? weight : T(0);
  }
}

// Lanes of 16 whatever the type and instruction set, then halves onto halves.
constexpr Index kSumLanes = 16;

template <class T, class F>
FASTNN_INLINE double sum_lanes(Index count, const T* x, F f) {
  double lanes[kSumLanes] = {};
  Index i = 0;
  for (; i + kSumLanes <= count; i += kSumLanes) {
#pragma omp simd
    for (Index j = 0; j < kSumLanes; ++j) lanes[j] += f(static_cast<double>(x[i + j]));
  }
  for (Index j = 0; i + j < count; ++j) lanes[j] += f(static_cast<double>(x[i + j]));
  for (Index half = kSumLanes / 2; half > 0; half /= 2)
    for (Index j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  return lanes[0];
}

template <class T>
double sum(Index count, const T* x) {
  return sum_lanes(count, x, [](double a) { return a; });
}

template <class T>
double sum_squares(Index count, const T* x) {
  return sum_lanes(count, x, [](double a) { return a * a; });
}

template <class T>
void activity_penalty(Index m, Index n, const T* x, T l1, T l2, const T* weights, T scale,
                      T* penalties, const T* dy, T* dx) {
  for (Index i = 0; i < m; ++i, x += n) {
    const T weight = weights != nullptr ? weights[i] : T(1);
    if (penalties != nullptr) {
      penalties[i] +=
          weight * sum_pairs(n, x, x, [l1, l2](T a, T b) { return vabs(a) * (l1 + l2 * vabs(b)); });
    }
    if (dx == nullptr) continue;
    const T slope_1 = weight * scale * l1;
    const T slope_2 = weight * scale * T(2) * l2;
    map(n, x, dy, dx, [slope_1, slope_2](T a, T d) {
      const T sign = a == 0 ? T(0) : vcopysign(T(1), a);
      return d + (slope_1 * sign + slope_2 * a);
    });
    dy += n;
    dx += n;
  }
}

}  // namespace

template <class T>
void add_losses(Kernels<T>& table) {
  table.loss = loss<T>;
  table.loss_labels = loss_labels<T>;
  table.metric_squared = metric_squared<T>;
  table.metric_absolute = metric_absolute<T>;
  table.metric_binary = metric_binary<T>;
  table.metric_labels = metric_labels<T>;
  table.sum = sum<T>;
  table.sum_squares = sum_squares<T>;
  table.activity_penalty = activity_penalty<T>;
}
template void add_losses(Kernels<float>& table);
template void add_losses(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
