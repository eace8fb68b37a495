// Tables of vectors: rows looked up, bags of rows reduced, ids sorted so that each row of the
// gradient is summed once, in a fixed order.
#include "kernels/reduce.h"
#include "kernels/rows.h"

namespace fastnn::FASTNN_ISA {
namespace {

constexpr Index kAhead = 8;  // rows between a prefetch and its use

template <class T>
void embedding_forward(Index count, Index d, const T* table, const int32_t* ids, T* y, Index ldy) {
  for (Index i = 0; i < count; ++i) {
    if (i + kAhead < count) prefetch_row(d, table + ids[i + kAhead] * d);
    copy_row(d, table + ids[i] * d, y + i * ldy);
  }
}

// --- sorting -------------------------------------------------------------------------------------

constexpr int kMostBits = 11;
constexpr Index kMostBuckets = Index{1} << kMostBits;

// Bits of a digit: few ids do not fill many buckets.
int digit_bits(Index count) { return count < 1024 ? 8 : kMostBits; }

// Counting costs one pass over v counters, so it pays where ids are not few.
constexpr Index kMostCounters = 65536;
bool counts_pay(Index count, Index v) { return v <= kMostCounters && v <= 8 * count; }

int n_passes(Index v, int bits) {
  int passes = 1;
  while (((v - 1) >> (bits * passes)) > 0) ++passes;
  return passes;
}

// starts[b] becomes the sum of the counts before b.
void running_sum(Index n, int32_t* counts) {
  int32_t total = 0;
  for (Index b = 0; b < n; ++b) {
    const int32_t size = counts[b];
    counts[b] = total;
    total += size;
  }
}

void counting_sort(Index count, Index v, const int32_t* ids, int32_t* order, int32_t* counts) {
  fill_row<int32_t>(v, 0, counts);
  for (Index i = 0; i < count; ++i) ++counts[ids[i]];
  running_sum(v, counts);
  for (Index i = 0; i < count; ++i) order[counts[ids[i]]++] = static_cast<int32_t>(i);
}

// Lowest digits first; the last pass leaves the positions in order.
void radix_sort(Index count, Index v, const int32_t* ids, int32_t* order, int32_t* scratch) {
  const int bits = digit_bits(count);
  const int passes = n_passes(v, bits);
  const Index buckets = Index{1} << bits;
  int32_t* counts = scratch;
  int32_t* spare = scratch + kMostBuckets;
  for (int pass = 0; pass < passes; ++pass) {
    const int shift = bits * pass;
    const auto bucket = [&](int32_t id) { return (id >> shift) & (buckets - 1); };
    // Passes alternate between spare and order, so that the last one writes order.
    int32_t* to = (passes - pass) % 2 == 1 ? order : spare;
    const int32_t* from = to == order ? spare : order;
    fill_row<int32_t>(buckets, 0, counts);
    for (Index i = 0; i < count; ++i) ++counts[bucket(ids[i])];
    running_sum(buckets, counts);
    for (Index i = 0; i < count; ++i) {
      const int32_t position = pass == 0 ? static_cast<int32_t>(i) : from[i];
      to[counts[bucket(ids[position])]++] = position;
    }
  }
}

// Enough for any smaller count too: the last batch of an epoch may be sorted the other way.
Index sort_scratch(Index count, Index v) {
  const Index counters = v <= kMostCounters ? v : 0;
  return counters > kMostBuckets + count ? counters : kMostBuckets + count;
}

Index sort_ids(Index count, Index v, const int32_t* ids, int32_t* order, int32_t* rows,
               int32_t* starts, int32_t* scratch) {
  starts[0] = 0;
  if (count == 0) return 0;
  if (counts_pay(count, v)) {
    counting_sort(count, v, ids, order, scratch);
  } else {
    radix_sort(count, v, ids, order, scratch);
  }
  // The slots after the current row are written ahead and kept when the id changes.
  Index distinct = 0;
  int32_t id = ids[order[0]];
  for (Index i = 1; i < count; ++i) {
    const int32_t next = ids[order[i]];
    rows[distinct] = id;
    starts[distinct + 1] = static_cast<int32_t>(i);
    distinct += next != id;
    id = next;
  }
  rows[distinct] = id;
  starts[distinct + 1] = static_cast<int32_t>(count);
  return distinct + 1;
}

// --- gradients -----------------------------------------------------------------------------------

// kWidth columns of the sum, kept in registers.
template <class T, Index kWidth>
FASTNN_INLINE void sum_columns(Index count, const int32_t* order, const T* dy, Index lddy, T* g) {
  T total[kWidth] = {};
  for (Index i = 0; i < count; ++i) {
    const T* row = dy + order[i] * lddy;
#pragma omp simd
    for (Index j = 0; j < kWidth; ++j) total[j] += row[j];
  }
#pragma omp simd
  for (Index j = 0; j < kWidth; ++j) g[j] = total[j];
}

// The sum of one row.
template <class T>
FASTNN_INLINE void sum_lookups(Index count, Index d, const int32_t* order, const T* dy, T* g) {
  if (count == 1) return copy_row(d, dy + order[0] * d, g);
  Index p = 0;
  for (; p + 4 * kBlock<T> <= d; p += 4 * kBlock<T>)
    sum_columns<T, 4 * kBlock<T>>(count, order, dy + p, d, g + p);
  for (; p + kBlock<T> <= d; p += kBlock<T>)
    sum_columns<T, kBlock<T>>(count, order, dy + p, d, g + p);
  if (p == d) return;
  T total[kBlock<T>] = {}, copy[kBlock<T>];
  for (Index i = 0; i < count; ++i) {
    const T* row = open(dy + order[i] * d + p, d - p, copy);
#pragma omp simd
    for (Index j = 0; j < kBlock<T>; ++j) total[j] += row[j];
  }
  close(g + p, d - p, total);
}

template <class T>
void embedding_sums(Index count, Index d, const int32_t* starts, const int32_t* order, const T* dy,
                    T* g) {
  if (d == 1) {
    for (Index r = 0; r < count; ++r) {
      T total = dy[order[starts[r]]];
      for (Index i = starts[r] + 1; i < starts[r + 1]; ++i) total += dy[order[i]];
      g[r] = total;
    }
    return;
  }
  const Index last = starts[count];
  for (Index r = 0; r < count; ++r) {
    for (Index i = starts[r]; i < starts[r + 1]; ++i)
      if (i + kAhead < last) prefetch_row(d, dy + order[i + kAhead] * d);
    sum_lookups(starts[r + 1] - starts[r], d, order + starts[r], dy, g + r * d);
  }
}

// --- bags ----------------------------------------------------------------------------------------

template <class T>
struct Bag {
  Index k;
  const int32_t* ids;
  const T* weights;  // null: ones
  int32_t padding;

  T weight(Index p) const {
    if (ids[p] == padding) return 0;
    return weights != nullptr ? weights[p] : T(1);
  }
};

template <class T>
Bag<T> bag_at(Index i, Index k, const int32_t* ids, const T* weights, int32_t padding) {
  return {k, ids + i * k, weights != nullptr ? weights + i * k : nullptr, padding};
}

// What the sum of a bag is divided by; 1 when that would be zero.
template <class T>
T divisor(BagMode mode, const Bag<T>& bag) {
  if (mode == BagMode::kSum) return 1;
  T total = 0;
  for (Index p = 0; p < bag.k; ++p) {
    const T weight = bag.weight(p);
    total += mode == BagMode::kMean ? weight : weight * weight;
  }
  if (total == 0) return 1;
  return mode == BagMode::kMean ? total : vsqrt(total);
}

template <class T>
void bag_max(const Bag<T>& bag, Index d, const T* table, T* y, int32_t* chosen) {
  bool empty = true;
  for (Index p = 0; p < bag.k; ++p) {
    if (bag.ids[p] == bag.padding) continue;
    const T* row = table + bag.ids[p] * d;
    const auto place = static_cast<int32_t>(p);
    for (Index j = 0; j < d; ++j) {
      if (!empty && !(row[j] > y[j])) continue;
      y[j] = row[j];
      if (chosen != nullptr) chosen[j] = place;
    }
    empty = false;
  }
  if (!empty) return;
  fill_row(d, T(0), y);
  if (chosen != nullptr) fill_row<int32_t>(d, -1, chosen);
}

template <class T>
void bag_sum(BagMode mode, const Bag<T>& bag, Index d, const T* table, T* y) {
  const T over = divisor(mode, bag);
  fill_row(d, T(0), y);
  for (Index p = 0; p < bag.k; ++p) {
    if (bag.ids[p] == bag.padding) continue;
    const T share = bag.weight(p) / over;
    map(d, table + bag.ids[p] * d, y, y, [share](T row, T total) { return total + share * row; });
  }
}

template <class T>
void bag_forward(BagMode mode, Index m, Index k, Index d, const T* table, const int32_t* ids,
                 int32_t padding, const T* weights, T* y, int32_t* chosen) {
  for (Index i = 0; i < m; ++i, y += d) {
    const Bag<T> bag = bag_at(i, k, ids, weights, padding);
    if (mode == BagMode::kMax) {
      bag_max(bag, d, table, y, chosen != nullptr ? chosen + i * d : nullptr);
    } else {
      bag_sum(mode, bag, d, table, y);
    }
  }
}

// d y / d w[p] = (row[p] - slope y) / divisor, slope 0 (sum), 1 (mean), w[p] / divisor (sqrtn).
template <class T>
void bag_dweights(BagMode mode, const Bag<T>& bag, Index d, const T* table, const T* y, const T* dy,
                  T* dweights) {
  const T over = divisor(mode, bag);
  const auto product = [](T u, T v) { return u * v; };
  const T total = mode == BagMode::kSum ? T(0) : sum_pairs(d, y, dy, product);
  for (Index p = 0; p < bag.k; ++p) {
    dweights[p] = 0;
    if (bag.ids[p] == bag.padding) continue;
    const T along = sum_pairs(d, table + bag.ids[p] * d, dy, product);
    const T slope = mode == BagMode::kSqrtn ? bag.weight(p) / over : T(1);
    dweights[p] = (along - slope * total) / over;
  }
}

template <class T>
void bag_drows(BagMode mode, const Bag<T>& bag, Index d, const int32_t* chosen, const T* dy,
               T* dy_ids) {
  const T over = mode == BagMode::kMax ? T(1) : divisor(mode, bag);
  for (Index p = 0; p < bag.k; ++p, dy_ids += d) {
    if (bag.ids[p] == bag.padding) {
      fill_row(d, T(0), dy_ids);
    } else if (mode == BagMode::kMax) {
      for (Index j = 0; j < d; ++j) dy_ids[j] = chosen[j] == p ? dy[j] : T(0);
    } else {
      const T share = bag.weight(p) / over;
      map(d, dy, dy_ids, [share](T u) { return share * u; });
    }
  }
}

template <class T>
void bag_backward(BagMode mode, Index m, Index k, Index d, const T* table, const int32_t* ids,
                  int32_t padding, const T* weights, const int32_t* chosen, const T* y, const T* dy,
                  T* dy_ids, T* dweights) {
  for (Index i = 0; i < m; ++i) {
    const Bag<T> bag = bag_at(i, k, ids, weights, padding);
    const int32_t* place = chosen != nullptr ? chosen + i * d : nullptr;
    bag_drows(mode, bag, d, place, dy + i * d, dy_ids + i * k * d);
    if (dweights != nullptr)
      bag_dweights(mode, bag, d, table, y + i * d, dy + i * d, dweights + i * k);
  }
}

}  // namespace

template <class T>
void add_embedding(Kernels<T>& table) {
  table.embedding_forward = embedding_forward<T>;
  table.sort_ids = sort_ids;
  table.sort_scratch = sort_scratch;
  table.embedding_sums = embedding_sums<T>;
  table.bag_forward = bag_forward<T>;
  table.bag_backward = bag_backward<T>;
}
template void add_embedding(Kernels<float>& table);
template void add_embedding(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
