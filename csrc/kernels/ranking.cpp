// Scores of few classes of many: products with rows of a table that are read where they lie, the
// losses that compare them, and the sums of their gradients.
#include "kernels/lanes.h"
#include "kernels/losses.h"
#include "kernels/reduce.h"
#include "kernels/rows.h"

namespace fastnn::FASTNN_ISA {
namespace {

constexpr Index kAhead = 8;   // rows between a prefetch and its use
constexpr Index kPairs = 16;  // logistic functions at a time

// Sum of a[d] * b[d]: four chains of vectors, then lane by lane.
template <class T>
FASTNN_INLINE T product(Index d, const T* a, const T* b) {
  constexpr Index n = kLanes<T>;
  Vector<T> sums[4] = {};
  Index p = 0;
  for (; p + 4 * n <= d; p += 4 * n)
    for (int i = 0; i < 4; ++i) sums[i] += load(a + p + i * n) * load(b + p + i * n);
  for (; p + n <= d; p += n) sums[0] += load(a + p) * load(b + p);
  if (p < d) sums[1] += load_first(a + p, d - p) * load_first(b + p, d - p);
  T lanes[n];
  store(lanes, (sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (Index half = n / 2; half > 0; half /= 2)
    for (Index j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  return lanes[0];
}

// y[d] = sum over i < count of factor(i) * row(i), starting from y when kAdd.
template <bool kAdd, class T, class Factor, class Row>
FASTNN_INLINE void combine(Index count, Index d, Factor factor, Row row, T* y) {
  for_lanes<T, 8>(d, [&](Index p, auto vectors, auto access) {
    constexpr int k = decltype(vectors)::value;
    Vector<T> sums[k];
    for (int v = 0; v < k; ++v) sums[v] = kAdd ? access.read(y + p + v * kLanes<T>) : Vector<T>{};
    for (Index i = 0; i < count; ++i) {
      const T* x = row(i) + p;
      const Vector<T> by = broadcast(factor(i));
      for (int v = 0; v < k; ++v) sums[v] += by * access.read(x + v * kLanes<T>);
    }
    for (int v = 0; v < k; ++v) access.write(y + p + v * kLanes<T>, sums[v]);
  });
}

// The vector of a class with features, composed in y[d].
template <class T>
FASTNN_INLINE void compose(const Classes<T>& classes, int32_t id, T* y) {
  copy_row(classes.d, classes.v + id * classes.d, y);
  for (Index s = 0; s < classes.slots; ++s) {
    const int32_t feature = classes.features[id * classes.slots + s];
    if (feature < 0) continue;
    const T share = classes.shares[id * classes.slots + s];
    combine<true>(
        1, classes.d, [&](Index) { return share; },
        [&](Index) { return classes.f + feature * classes.d; }, y);
  }
}

template <class T>
void class_rows(Index count, const Classes<T>& classes, const int32_t* ids, T* y) {
  const Index d = classes.d;
  for (Index i = 0; i < count; ++i) {
    if (i + kAhead < count) prefetch_row(d, classes.v + ids[i + kAhead] * d);
    compose(classes, ids[i], y + i * d);
  }
}

// --- losses of rows that draw for themselves -----------------------------------------------------

// The vectors of one row's classes: rows of the table, or composed in scratch when first wanted.
template <class T>
struct Vectors {
  const Classes<T>& classes;
  const int32_t* ids;
  T* composed;

  const T* at(Index j) const {
    return classes.slots > 0 ? composed + j * classes.d : classes.v + ids[j] * classes.d;
  }
  FASTNN_INLINE T score(Index j, const T* u) const {
    if (classes.slots > 0) compose(classes, ids[j], composed + j * classes.d);
    const T bias = classes.bias != nullptr ? classes.bias[ids[j]] : T(0);
    return product(classes.d, u, at(j)) + bias;
  }
};

// Walks through the negatives of rows: place in the scores, and the row.
struct Pair {
  Index c, row = 0, j = 1;
  Index place() const { return row * c + j; }
  Index label() const { return row * c; }
  bool ends_row() const { return j == c - 1; }
  void next() {
    if (++j == c) j = 1, ++row;
  }
};

// s[m, c] scores; s becomes their derivatives, losses[m] the losses. kPairs logistic functions at a
// time, the last of them of nothing.
template <class T>
void bpr_rows(Index m, Index c, const int32_t* ids, T* s, T* losses) {
  T z[kPairs], value[kPairs], gradient[kPairs];
  T share = 0, loss = 0, total = 0;
  Pair from{c}, to{c};
  if (c == 1) {
    fill_row<T>(m, T(0), s);
    fill_row<T>(m, T(0), losses);
  }
  for (Index left = m * (c - 1); left > 0; left -= kPairs) {
    const Index n = left < kPairs ? left : kPairs;
    for (Index p = 0; p < n; ++p, from.next()) z[p] = s[from.label()] - s[from.place()];
    for (Index p = n; p < kPairs; ++p) z[p] = 0;
    for (Index p = 0; p < kPairs; ++p) {
      const ValueGradient<T> at = BinaryCrossentropy::at<T>(z[p], T(1), T(0));
      value[p] = at.value;
      gradient[p] = at.gradient;
    }
    for (Index p = 0; p < n; ++p, to.next()) {
      const int32_t* own = ids + to.label();
      if (to.j == 1) {
        Index held = 0;
        for (Index j = 1; j < c; ++j) held += own[j] != own[0];
        share = T(1) / static_cast<T>(held > 0 ? held : 1);
        loss = total = 0;
      }
      const bool counts = own[to.j] != own[0];
      const T derivative = counts ? -gradient[p] * share : T(0);
      loss += counts ? value[p] * share : T(0);
      total += derivative;
      s[to.place()] = derivative;
      if (!to.ends_row()) continue;
      s[to.label()] = -total;
      losses[to.row] = loss;
    }
  }
}

// s[c] scores; s becomes their derivatives. Returns the loss.
template <class T>
FASTNN_INLINE T logistic_row(Index c, const int32_t* ids, T* s) {
  const ValueGradient<T> label = BinaryCrossentropy::at<T>(s[0], T(1), T(0));
  T loss = label.value;
  s[0] = label.gradient;
  for (Index j = 1; j < c; ++j) {
    if (ids[j] == ids[0]) {
      s[j] = 0;
      continue;
    }
    const ValueGradient<T> at = BinaryCrossentropy::at<T>(s[j], T(0), T(0));
    loss += at.value;
    s[j] = at.gradient;
  }
  return loss;
}

// Scores are computed until one comes too close: ds[2] and used[2], whose vectors are `at`.
template <class T>
FASTNN_INLINE T warp_row(const Vectors<T>& vectors, const RankedRows<T>& rows, const T* u, T* ds,
                         int32_t* used, Index& last) {
  const int32_t* ids = vectors.ids;
  const Index d = vectors.classes.d;
  const T label = vectors.score(0, u);
  used[0] = used[1] = ids[0];
  ds[0] = ds[1] = 0;
  last = 0;
  Index trials = 0;
  for (Index j = 1; j < rows.c; ++j) {
    if (j + 1 < rows.c) prefetch_row(d, vectors.classes.v + ids[j + 1] * d);
    if (ids[j] == ids[0]) continue;
    ++trials;
    const T score = vectors.score(j, u);
    if (!(score > label - rows.margin)) continue;
    const Index rank = (vectors.classes.units - 1) / trials;
    const auto factor = static_cast<T>(vlog(static_cast<double>(rank > 1 ? rank : 1)));
    used[1] = ids[j];
    ds[1] = factor;
    ds[0] = -factor;
    last = j;
    return factor * (rows.margin - label + score);
  }
  return label == label ? T(0) : label;  // NaN is never close
}

template <class T>
void prefetch_classes(const Classes<T>& classes, const int32_t* ids, Index count) {
  for (Index j = 0; j < count; ++j) prefetch_row(classes.d, classes.v + ids[j] * classes.d);
}

// Weighs row i's loss and derivatives, n of them, and sums its gradient; `at(j)` is class j's
// vector.
template <class T, class At>
FASTNN_INLINE void finish_row(const RankedRows<T>& rows, Index d, Index i, Index n, At at) {
  const T weight = rows.weights != nullptr ? rows.weights[i] : T(1);
  T* ds = rows.ds + i * n;
  rows.losses[i] *= weight;
  for (Index j = 0; j < n; ++j) ds[j] *= weight * rows.scale;
  if (rows.du == nullptr) return;
  combine<false>(n, d, [&](Index j) { return ds[j]; }, at, rows.du + i * d);
}

template <class T>
void warp(const Classes<T>& classes, const RankedRows<T>& rows) {
  const Index c = rows.c, d = classes.d;
  const Index ahead = c < kAhead ? kAhead / c : 1;  // rows
  for (Index i = 0; i < rows.m; ++i) {
    const int32_t* ids = rows.ids + i * c;
    if (i + ahead < rows.m) prefetch_classes(classes, ids + ahead * c, c < 2 ? c : 2);
    const Vectors<T> vectors{classes, ids, rows.scratch};
    Index last = 0;
    rows.losses[i] =
        warp_row(vectors, rows, rows.u + i * d, rows.ds + 2 * i, rows.used + 2 * i, last);
    finish_row(rows, d, i, 2, [&](Index j) { return vectors.at(j == 1 ? last : 0); });
  }
}

// BPR and logistic losses, whose scores are all wanted; so many rows at a time that their pairs
// fill a vector and their classes stay in the first cache.
template <class T>
void compare(Ranking kind, const Classes<T>& classes, const RankedRows<T>& rows) {
  const Index c = rows.c, d = classes.d;
  const Index block = classes.slots > 0 || c > kPairs ? 1 : kPairs / (c > 1 ? c - 1 : 1);
  const Index ahead = c < kAhead ? kAhead / c : 1;  // rows
  for (Index first = 0; first < rows.m; first += block) {
    const Index m = rows.m - first < block ? rows.m - first : block;
    const auto vectors = [&](Index i) {
      return Vectors<T>{classes, rows.ids + i * c, rows.scratch};
    };
    for (Index i = first; i < first + m; ++i) {
      if (i + ahead < rows.m) prefetch_classes(classes, rows.ids + (i + ahead) * c, c);
      for (Index j = 0; j < c; ++j) rows.ds[i * c + j] = vectors(i).score(j, rows.u + i * d);
    }
    const int32_t* ids = rows.ids + first * c;
    T *s = rows.ds + first * c, *losses = rows.losses + first;
    if (kind == Ranking::kBpr) {
      bpr_rows(m, c, ids, s, losses);
    } else {
      for (Index i = 0; i < m; ++i) losses[i] = logistic_row(c, ids + i * c, s + i * c);
    }
    for (Index i = first; i < first + m; ++i)
      finish_row(rows, d, i, c, [&](Index j) { return vectors(i).at(j); });
  }
}

template <class T>
void ranking(Ranking kind, const Classes<T>& classes, const RankedRows<T>& rows) {
  if (kind == Ranking::kWarp) {
    warp(classes, rows);
  } else {
    compare(kind, classes, rows);
  }
}

// --- negatives that all rows share ---------------------------------------------------------------

template <class T>
void sampled_softmax(Index m, Index n, T* z, Index ldz, const T* added, T* label, const T* weights,
                     T scale, T* losses) {
  for (Index i = 0; i < m; ++i, z += ldz) {
    map(n, z, added, z, [](T a, T b) { return a + b; });
    const T own = label[i], among = row_max(n, z);
    const T largest = own > among ? own : among;
    const T first = vexp(own - largest);
    const T total = first + exp_row(n, z, largest, z);
    const T weight = weights != nullptr ? weights[i] : T(1);
    losses[i] = weight * (vlog(total) - (own - largest));
    const T factor = weight * scale, share = factor / total;
    map(n, z, z, [share](T e) { return e * share; });
    label[i] = first * share - factor;
  }
}

template <class T>
void add_scaled_rows(Index m, Index d, const T* factors, const T* x, T* y) {
  for (Index i = 0; i < m; ++i) {
    combine<true>(
        1, d, [&](Index) { return factors[i]; }, [&](Index) { return x + i * d; }, y + i * d);
  }
}

// --- gradients -----------------------------------------------------------------------------------

template <class T>
void weighted_sums(Index count, Index d, const int32_t* starts, const int32_t* order, Index k,
                   const T* coefficients, const T* x, T* g) {
  const auto row_of = [&](Index i) {
    const auto p = static_cast<uint32_t>(order[i]);
    return x + static_cast<Index>(p / static_cast<uint32_t>(k)) * d;
  };
  const Index last = starts[count];
  for (Index r = 0; r < count; ++r) {
    const Index from = starts[r];
    for (Index i = from; i < starts[r + 1]; ++i)
      if (i + kAhead < last) prefetch_row(d, row_of(i + kAhead));
    combine<false>(
        starts[r + 1] - from, d, [&](Index i) { return coefficients[order[from + i]]; },
        [&](Index i) { return row_of(from + i); }, g + r * d);
  }
}

// --- features ------------------------------------------------------------------------------------

template <class T>
void feature_coefficients(Index count, const Classes<T>& classes, const int32_t* ids,
                          const T* factors, T* out) {
  const Index slots = classes.slots;
  for (Index i = 0; i < count; ++i)
    for (Index s = 0; s < slots; ++s)
      out[i * slots + s] = factors[i] * classes.shares[ids[i] * slots + s];
}

template <class T>
void feature_scores(Index m, Index n_features, const Classes<T>& classes, const T* z, T* y) {
  for (Index i = 0; i < m; ++i, z += n_features, y += classes.units) {
    for (Index p = 0; p < classes.units * classes.slots; ++p) {
      const int32_t feature = classes.features[p];
      if (feature >= 0) y[p / classes.slots] += classes.shares[p] * z[feature];
    }
  }
}

template <class T>
void feature_scores_backward(Index m, Index n_features, const Classes<T>& classes, const T* dy,
                             T* dz) {
  for (Index i = 0; i < m; ++i, dz += n_features, dy += classes.units) {
    fill_row<T>(n_features, T(0), dz);
    for (Index p = 0; p < classes.units * classes.slots; ++p) {
      const int32_t feature = classes.features[p];
      if (feature >= 0) dz[feature] += classes.shares[p] * dy[p / classes.slots];
    }
  }
}

}  // namespace

template <class T>
void add_ranking(Kernels<T>& table) {
  table.class_rows = class_rows<T>;
  table.ranking = ranking<T>;
  table.sampled_softmax = sampled_softmax<T>;
  table.add_scaled_rows = add_scaled_rows<T>;
  table.weighted_sums = weighted_sums<T>;
  table.feature_coefficients = feature_coefficients<T>;
  table.feature_scores = feature_scores<T>;
  table.feature_scores_backward = feature_scores_backward<T>;
}
template void add_ranking(Kernels<float>& table);
template void add_ranking(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
