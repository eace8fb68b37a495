// Batch and layer normalisation. The order of sums down columns is that of columns.h.
#include "kernels/activations.h"
#include "kernels/columns.h"

namespace fastnn::FASTNN_ISA {
namespace {

// --- batch ---------------------------------------------------------------------------------------

// Mean and sum of squared deviations of `count` numbers.
struct Moments {
  double count, mean, squares;
};

FASTNN_INLINE void join(Moments& a, const Moments& b) {
  const double count = a.count + b.count, delta = b.mean - a.mean;
  a.mean += delta * (b.count / count);
  a.squares += b.squares + delta * delta * (a.count * b.count / count);
  a.count = count;
}

// Joins the moments of `rows` rows to those of the `before` rows before them.
template <class T, int kVectors>
FASTNN_INLINE void join_moments(Index before, Index rows, const Vector<T> (&sums)[kVectors],
                                const Vector<T> (&squares)[kVectors], double* mean,
                                double* deviations) {
  T sum[kVectors * kLanes<T>], square[kVectors * kLanes<T>];
  std::memcpy(sum, sums, sizeof sums);
  std::memcpy(square, squares, sizeof squares);
  const auto count = static_cast<double>(rows);
  const double part = 1.0 / count, share = count / static_cast<double>(before + rows);
  const double weight = share * static_cast<double>(before);
#pragma omp simd
  for (int j = 0; j < kVectors * kLanes<T>; ++j) {
    const double delta = static_cast<double>(sum[j]) * part - mean[j];
    mean[j] += delta * share;
    deviations[j] += static_cast<double>(square[j]) + delta * delta * weight;
  }
}

// Each piece twice, while it is in the cache: its sums, then the squares around its own mean.
template <class T>
void panel_moments(const Wide& wide, Index begin, Index end, const T* x, Totals& mean,
                   Totals& deviations) {
  for_pieces<T>(wide, begin, end, true, [&](Piece p, Index j, auto vectors, auto access) {
    Vector<T> sum[vectors] = {}, square[vectors] = {}, center[vectors];
    const T* from = x + p.begin * wide.n + j;
    for (Index r = 0; r < p.rows; ++r) {
      const T* row = from + r * wide.n;
      for (int v = 0; v < vectors; ++v) sum[v] += access.read(row + v * kLanes<T>);
    }
    for (int v = 0; v < vectors; ++v) center[v] = sum[v] / static_cast<T>(p.rows);
    for (Index r = 0; r < p.rows; ++r) {
      const T* row = from + r * wide.n;
      p.template ask_next<vectors>(x, r);
      for (int v = 0; v < vectors; ++v) {
        const Vector<T> d = access.read(row + v * kLanes<T>) - center[v];
        square[v] += d * d;
      }
    }
    join_moments<T>(p.begin, p.rows, sum, square, mean.of + (j - begin),
                    deviations.of + (j - begin));
  });
}

template <class T>
void column_moments(Index m, Index n, const T* x, T* mean, T* squares) {
  const Wide wide = widen<T>(m, n);
  const T* rest = x + wide.m * wide.n;
  for (Index begin = 0; begin < n; begin += kPanel) {
    const Index width = least(kPanel, n - begin);
    Totals center, deviations;
    panel_moments(wide, begin, begin + width * wide.side, x, center, deviations);
    for (Index j = 0; j < width; ++j) {
      const auto rows = static_cast<double>(wide.m);
      Moments all{rows, center.of[j], deviations.of[j]};
      for (Index at = j + n; at < width * wide.side; at += n)
        join(all, {rows, center.of[at], deviations.of[at]});
      for (Index at = j; at < wide.left; at += n) join(all, {1, static_cast<double>(rest[at]), 0});
      mean[begin + j] = static_cast<T>(all.mean);
      squares[begin + j] = static_cast<T>(all.squares);
    }
  }
}

// Calls body(first element, columns) for all rows of wide and then for the rest.
template <class Body>
FASTNN_INLINE void for_rows(const Wide& wide, Body body) {
  for (Index i = 0; i < wide.m; ++i) body(i * wide.n, wide.n);
  if (wide.left > 0) body(wide.m * wide.n, wide.left);
}

template <class T, bool kRelu>
void scale_rows(const Wide& wide, const T* x, const T* factor, const T* offset, T* y) {
  for_rows(wide, [&](Index at, Index columns) {
    for_lanes<T, 4>(columns, [&](Index j, auto vectors, auto access) {
      for (int v = 0; v < vectors; ++v, j += kLanes<T>) {
        const Vector<T> scaled =
            access.read(x + at + j) * access.read(factor + j) + access.read(offset + j);
        access.write(y + at + j, kRelu ? (scaled < 0 ? Vector<T>{} : scaled) : scaled);
      }
    });
  });
}

// Other activations follow while the rows are in the cache.
template <class T>
void scale_columns(Index m, Index n, const T* x, const T* factor, const T* offset,
                   Activation activation, T* y) {
  constexpr Index kElements = 2048;
  T factors[kWidest<T>], offsets[kWidest<T>];
  const Wide all = widen<T>(m, n);
  factor = repeat_columns(all, factor, factors);
  offset = repeat_columns(all, offset, offsets);
  if (activation == Activation::kIdentity) return scale_rows<T, false>(all, x, factor, offset, y);
  if (activation == Activation::kRelu) return scale_rows<T, true>(all, x, factor, offset, y);
  const Index rows = n < kElements ? kElements / all.n * all.side : 1;
  for (Index i = 0; i < m; i += rows, x += rows * n, y += rows * n) {
    const Index count = least(rows, m - i);
    const Wide some{count / all.side, all.n, all.side, count % all.side * n};
    scale_rows<T, false>(some, x, factor, offset, y);
    activate(activation, count * n, y, y);
  }
}

template <class T>
void panel_sums(const Wide& wide, Index begin, Index end, const T* x, const T* dy, const T* mean,
                Totals& sums, Totals& products) {
  const bool far = is_far<T>(wide.m * wide.n);
  for_pieces<T>(wide, begin, end, far, [&](Piece p, Index j, auto vectors, auto access) {
    Vector<T> sum[vectors] = {}, product[vectors] = {}, center[vectors];
    for (int v = 0; v < vectors; ++v) center[v] = access.read(mean + j + v * kLanes<T>);
    for (Index r = 0; r < p.rows; ++r) {
      const Index row = (p.begin + r) * wide.n + j;
      p.template ask_next<vectors>(x, r);
      p.template ask_next<vectors>(dy, r);
      for (int v = 0; v < vectors; ++v) {
        const Vector<T> d = access.read(dy + row + v * kLanes<T>);
        sum[v] += d;
        product[v] += d * (access.read(x + row + v * kLanes<T>) - center[v]);
      }
    }
    sums.add<T>(j - begin, sum);
    products.add<T>(j - begin, product);
  });
}

template <class T>
void batch_norm_sums(Index m, Index n, const T* x, const T* dy, const T* mean, const T* inverse,
                     T* sums, T* products) {
  T means[kWidest<T>];
  const Wide wide = widen<T>(m, n);
  const T* center = repeat_columns(wide, mean, means);
  const T *rest_x = x + wide.m * wide.n, *rest_dy = dy + wide.m * wide.n;
  for (Index begin = 0; begin < n; begin += kPanel) {
    const Index width = least(kPanel, n - begin);
    Totals sum, product;
    panel_sums(wide, begin, begin + width * wide.side, x, dy, center, sum, product);
    for (Index j = 0; j < width; ++j) {
      double total = 0, along = 0;
      for (Index at = j; at < width * wide.side; at += n) {
        total += sum.of[at];
        along += product.of[at];
      }
      for (Index at = j; at < wide.left; at += n) {
        total += static_cast<double>(rest_dy[at]);
        along += static_cast<double>(rest_dy[at] * (rest_x[at] - mean[j]));
      }
      sums[begin + j] = static_cast<T>(total);
      products[begin + j] = static_cast<T>(along) * inverse[begin + j];
    }
  }
}

// A few rows at a time, so that what belongs to the columns stays in registers.
template <class T>
void backward_rows(Index m, Index n, const T* x, const T* dy, const T* const (&columns)[5], T* dx) {
  constexpr Index kRows = 8;
  for (Index begin = 0; begin < m; begin += kRows) {
    const Index end = least(begin + kRows, m);
    for_lanes<T, 4>(n, [&](Index j, auto vectors, auto access) {
      Vector<T> mean[vectors], a[vectors], slope[vectors], factor[vectors];
      for (int v = 0; v < vectors; ++v) {
        const Index at = j + v * kLanes<T>;
        mean[v] = access.read(columns[0] + at);
        a[v] = access.read(columns[2] + at);
        slope[v] = access.read(columns[1] + at) * access.read(columns[3] + at);
        factor[v] = access.read(columns[4] + at);
      }
      for (Index i = begin; i < end; ++i) {
        for (int v = 0; v < vectors; ++v) {
          const Index at = i * n + j + v * kLanes<T>;
          const Vector<T> d =
              access.read(dy + at) - a[v] - (access.read(x + at) - mean[v]) * slope[v];
          access.write(dx + at, d * factor[v]);
        }
      }
    });
  }
}

template <class T>
void batch_norm_backward(Index m, Index n, const T* x, const T* dy, const T* mean, const T* inverse,
                         const T* a, const T* b, const T* factor, T* dx) {
  T copies[5][kWidest<T>];
  const Wide wide = widen<T>(m, n);
  const T* columns[] = {mean, inverse, a, b, factor};
  for (int i = 0; i < 5; ++i) columns[i] = repeat_columns(wide, columns[i], copies[i]);
  const Index rest = wide.m * wide.n;
  backward_rows<T>(wide.m, wide.n, x, dy, columns, dx);
  if (wide.left > 0) backward_rows<T>(1, wide.left, x + rest, dy + rest, columns, dx + rest);
}

// --- layer ---------------------------------------------------------------------------------------

// As many rows as lanes at a time, so that their sums over lanes and roots are one operation each.
template <class T>
using PerRow = Vector<T>;
template <class T, int kSums>
struct Terms {
  Vector<T> of[kSums];
};

// For each of `rows` rows the means over its n columns of the terms f(row, column, access): four
// chains of additions per lane in pieces of kLongest columns, which are added up in their order.
template <class T, int kSums, class F>
FASTNN_INLINE Terms<T, kSums> row_means(Index rows, Index n, F f) {
  constexpr Index kLongest = 4096;
  Vector<T> sums[kSums][kLanes<T>] = {};
  for (Index i = 0; i < rows; ++i) {
    for (Index begin = 0; begin < n; begin += kLongest) {
      Terms<T, kSums> a[4] = {};
      for_lanes<T, 4>(least(kLongest, n - begin), [&](Index j, auto vectors, auto access) {
        for (int v = 0; v < vectors; ++v) {
          const Terms<T, kSums> terms = f(i, begin + j + v * kLanes<T>, access);
          for (int s = 0; s < kSums; ++s) a[v].of[s] += terms.of[s];
        }
      });
      for (int s = 0; s < kSums; ++s)
        sums[s][i] += (a[0].of[s] + a[1].of[s]) + (a[2].of[s] + a[3].of[s]);
    }
  }
  Terms<T, kSums> means;
  for (int s = 0; s < kSums; ++s) {
    transpose_square<T>(sums[s]);
    for (int step = kLanes<T> / 2; step > 0; step /= 2)
      for (int i = 0; i < step; ++i) sums[s][i] += sums[s][i + step];
    means.of[s] = sums[s][0] / static_cast<T>(n);
  }
  return means;
}

template <class T>
void layer_norm_forward(Index m, Index n, const T* x, const T* gamma, const T* beta, T epsilon,
                        T* y, T* kept) {
  for (Index first = 0; first < m; first += kLanes<T>, x += kLanes<T> * n, y += kLanes<T> * n) {
    const Index rows = least(kLanes<T>, m - first);
    const auto value = [=](Index i, Index j, auto access) {
      return Terms<T, 1>{access.read(x + i * n + j)};
    };
    const PerRow<T> mean = row_means<T, 1>(rows, n, value).of[0];
    const auto square = [=](Index i, Index j, auto access) {
      const Vector<T> d = access.only(access.read(x + i * n + j) - mean[i]);
      return Terms<T, 1>{d * d};
    };
    const PerRow<T> variance = row_means<T, 1>(rows, n, square).of[0];
    T inverse[kLanes<T>];
    for (int i = 0; i < kLanes<T>; ++i) inverse[i] = T(1) / vsqrt(variance[i] + epsilon);
    for (Index i = 0; i < rows; ++i) {
      for_lanes<T, 4>(n, [&](Index j, auto vectors, auto access) {
        const T* from = x + i * n + j;
        ask<vectors>(from + kLanes<T> * n);
        for (int v = 0; v < vectors; ++v, j += kLanes<T>) {
          Vector<T> normal = (access.read(from + v * kLanes<T>) - mean[i]) * inverse[i];
          if (gamma != nullptr) normal *= access.read(gamma + j);
          if (beta != nullptr) normal += access.read(beta + j);
          access.write(y + i * n + j, normal);
        }
      });
      if (kept != nullptr) {
        kept[2 * (first + i)] = mean[i];
        kept[2 * (first + i) + 1] = inverse[i];
      }
    }
  }
}

// dx = inverse * (d - mean of d - normal * mean of d * normal), d = dy * gamma.
template <class T>
void layer_norm_backward(Index m, Index n, const T* x, const T* dy, const T* gamma, const T* kept,
                         T* dx) {
  for (Index first = 0; first < m; first += kLanes<T>) {
    const Index rows = least(kLanes<T>, m - first);
    const auto pair = [=](Index i, Index j, auto access) {
      const Vector<T> d = access.read(dy + i * n + j);
      return Terms<T, 2>{gamma == nullptr ? d : d * access.read(gamma + j),
                         (access.read(x + i * n + j) - kept[2 * i]) * kept[2 * i + 1]};
    };
    const Terms<T, 2> means = row_means<T, 2>(rows, n, [=](Index i, Index j, auto access) {
      const auto [d, normal] = pair(i, j, access).of;
      return Terms<T, 2>{d, d * normal};
    });
    for (Index i = 0; i < rows; ++i) {
      for_lanes<T, 4>(n, [&](Index j, auto vectors, auto access) {
        ask<vectors>(x + (i + kLanes<T>)*n + j);
        ask<vectors>(dy + (i + kLanes<T>)*n + j);
        for (int v = 0; v < vectors; ++v, j += kLanes<T>) {
          const auto [d, normal] = pair(i, j, access).of;
          const Vector<T> centered = d - means.of[0][i] - normal * means.of[1][i];
          access.write(dx + i * n + j, centered * kept[2 * i + 1]);
        }
      });
    }
    x += kLanes<T> * n, dy += kLanes<T> * n, dx += kLanes<T> * n, kept += 2 * kLanes<T>;
  }
}

template <class T>
void layer_norm_gamma(Index m, Index n, const T* x, const T* dy, const T* kept, T* dgamma) {
  const Wide rows{m, n, 1, 0};
  const bool far = is_far<T>(m * n);
  for (Index begin = 0; begin < n; begin += kPanel) {
    const Index end = least(begin + kPanel, n);
    Totals total;
    for_pieces<T>(rows, begin, end, far, [&](Piece p, Index j, auto vectors, auto access) {
      Vector<T> sum[vectors] = {};
      for (Index r = 0; r < p.rows; ++r) {
        const Index i = p.begin + r;
        p.template ask_next<vectors>(x, r);
        p.template ask_next<vectors>(dy, r);
        for (int v = 0; v < vectors; ++v) {
          const Index at = i * n + j + v * kLanes<T>;
          sum[v] += access.read(dy + at) * ((access.read(x + at) - kept[2 * i]) * kept[2 * i + 1]);
        }
      }
      total.add<T>(j - begin, sum);
    });
    for (Index j = begin; j < end; ++j) dgamma[j] = static_cast<T>(total.of[j - begin]);
  }
}

}  // namespace

template <class T>
void add_normalization(Kernels<T>& table) {
  table.column_moments = column_moments<T>;
  table.scale_columns = scale_columns<T>;
  table.batch_norm_sums = batch_norm_sums<T>;
  table.batch_norm_backward = batch_norm_backward<T>;
  table.layer_norm_forward = layer_norm_forward<T>;
  table.layer_norm_backward = layer_norm_backward<T>;
  table.layer_norm_gamma = layer_norm_gamma<T>;
}
template void add_normalization(Kernels<float>& table);
template void add_normalization(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
