#include "nn/catalogue.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fastnn {
namespace {

constexpr int64_t kCacheBytes = 512 * 1024;  // of the second cache: items, turned items, scores
constexpr int64_t kGathered = 64;            // candidates scored at once by gather()

}  // namespace

// A block of items and its turned copy take half the cache, the scores the other half. More queries
// share the work of turning; more items make longer runs of scores.
template <class T>
Blocks blocks_of(const Catalogue<T>& catalogue) {
  const auto size = static_cast<int64_t>(sizeof(T));
  const int64_t width = std::max<int64_t>(catalogue.d, 1);
  const int64_t items = std::clamp<int64_t>(kCacheBytes / 4 / (width * size), 64, 512);
  const int64_t queries = kCacheBytes / 2 / (items * size);
  return {std::clamp<int64_t>(queries, 16, 256), items / 16 * 16};
}

template <class T>
ScoreBlock<T>::ScoreBlock(const Catalogue<T>& catalogue, Blocks blocks, const T* item_scales)
    : catalogue_(catalogue), blocks_(blocks), item_scales_(item_scales) {
  const Kernels<T>& k = kernels<T>();
  scores_.reset(blocks.queries * blocks.items);
  if (catalogue.scores != nullptr) return;
  scratch_.reset(
      std::max({k.dense_scratch(blocks.queries, blocks.items, catalogue.d),
                k.dense_scratch(1, kGathered, catalogue.d), k.distance_scratch(catalogue.d)}));
  gathered_.reset(kGathered * (catalogue.d + 2));
}

template <class T>
void ScoreBlock<T>::score(int64_t query, int64_t n_queries, int64_t n_items, const T* items,
                          const T* biases, const T* scales, T* x, int64_t ldx) {
  const Kernels<T>& k = kernels<T>();
  const T* queries = catalogue_.queries + query * catalogue_.d;
  if (catalogue_.similarity == Similarity::kEuclidean) {
    k.distances(n_queries, n_items, catalogue_.d, queries, items, x, ldx, scratch_.data());
    return;
  }
  k.dense_backward_inputs(n_queries, n_items, catalogue_.d, queries, catalogue_.d, items, x, ldx,
                          scratch_.data());
  for (int64_t i = 0; i < n_queries; ++i) {
    T* row = x + i * ldx;
    if (biases != nullptr) k.add(n_items, row, biases, row);
    if (scales == nullptr) continue;
    T own = 0;
    inverse_lengths(0, 1, catalogue_.d, queries + i * catalogue_.d, &own);
    k.multiply(n_items, row, scales, row);
    k.scale(n_items, row, own, T{0}, row);
  }
}

template <class T>
void ScoreBlock<T>::fill(int64_t query, int64_t n_queries, int64_t item, int64_t n_items,
                         const Lists& exclude) {
  T* own = scores_.data();
  rows_ = own, ld_ = blocks_.items;
  if (catalogue_.scores != nullptr) {
    const T* given = catalogue_.scores + query * catalogue_.n + item;
    if (exclude.starts == nullptr) {
      rows_ = given, ld_ = catalogue_.n;
      return;
    }
    kernels<T>().copy_columns(n_queries, n_items, given, catalogue_.n, own, ld_);
  } else {
    const T* biases = catalogue_.biases == nullptr ? nullptr : catalogue_.biases + item;
    const T* scales = item_scales_ == nullptr ? nullptr : item_scales_ + item;
    score(query, n_queries, n_items, catalogue_.items + item * catalogue_.d, biases, scales, own,
          ld_);
  }
  for (int64_t i = 0; exclude.starts != nullptr && i < n_queries; ++i) {
    const int32_t* end = exclude.positions + exclude.starts[query + i + 1];
    const int32_t* at = std::lower_bound(exclude.positions + exclude.starts[query + i], end, item);
    for (; at < end && *at < item + n_items; ++at) {
      own[i * ld_ + *at - item] = -std::numeric_limits<T>::infinity();
    }
  }
}

template <class T>
void ScoreBlock<T>::gather(int64_t query, int64_t count, const int32_t* positions, T* x) {
  if (catalogue_.scores != nullptr) {
    const T* row = catalogue_.scores + query * catalogue_.n;
    for (int64_t i = 0; i < count; ++i) x[i] = row[positions[i]];
    return;
  }
  const int64_t d = catalogue_.d;
  T *vectors = gathered_.data(), *biases = vectors + kGathered * d, *scales = biases + kGathered;
  for (int64_t first = 0; first < count; first += kGathered) {
    const int64_t n = std::min(kGathered, count - first);
    const int32_t* some = positions + first;
    kernels<T>().gather_rows(n, d, catalogue_.items, some, vectors);
    for (int64_t i = 0; i < n && catalogue_.biases != nullptr; ++i) {
      biases[i] = catalogue_.biases[some[i]];
    }
    for (int64_t i = 0; i < n && item_scales_ != nullptr; ++i) scales[i] = item_scales_[some[i]];
    score(query, 1, n, vectors, catalogue_.biases == nullptr ? nullptr : biases,
          item_scales_ == nullptr ? nullptr : scales, x + first, n);
  }
}

template <class T>
void inverse_lengths(int64_t begin, int64_t end, int64_t d, const T* x, T* scales) {
  for (int64_t i = begin; i < end; ++i) {
    const double squares = kernels<T>().sum_squares(d, x + i * d);
    scales[i] = squares > 0 ? static_cast<T>(1 / std::sqrt(squares)) : T{0};
  }
}

#define FASTNN_INSTANTIATE(T)                     \
  template Blocks blocks_of(const Catalogue<T>&); \
  template class ScoreBlock<T>;                   \
  template void inverse_lengths(int64_t, int64_t, int64_t, const T*, T*);
FASTNN_INSTANTIATE(float)
FASTNN_INSTANTIATE(double)
#undef FASTNN_INSTANTIATE

}  // namespace fastnn
