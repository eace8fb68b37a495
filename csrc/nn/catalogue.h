// Scores of queries against a catalogue, one block at a time.
#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "kernels/kernels.h"

namespace fastnn {

enum class Similarity : int { kDot, kCosine, kEuclidean };

// Candidates of each of m queries: positions[starts[i]] .. positions[starts[i + 1]], rising. Null
// when there are none.
struct Lists {
  const int64_t* starts = nullptr;
  const int32_t* positions = nullptr;
};

// What is scored: queries[m, d] against items[n, d], or scores[m, n] that are given.
template <class T>
struct Catalogue {
  int64_t m, n, d;
  const T *queries, *items;
  const T* biases;  // n of them, added to dot products; may be null
  Similarity similarity;
  const T* scores;
};

// How the scores are cut into blocks: by the shapes alone.
struct Blocks {
  int64_t queries, items;
};
template <class T>
Blocks blocks_of(const Catalogue<T>& catalogue);

// Where one thread keeps a block.
template <class T>
class ScoreBlock {
 public:
  ScoreBlock(const Catalogue<T>& catalogue, Blocks blocks, const T* item_scales);

  // x[i, j] = score of candidate item + j for query + i, n_queries and n_items of them, -inf for
  // the excluded ones; rows are ld() apart.
  void fill(int64_t query, int64_t n_queries, int64_t item, int64_t n_items, const Lists& exclude);
  const T* row(int64_t i) const { return rows_ + i * ld_; }

  // x[i] = score of candidate positions[i], i < count, to the same bits as those of fill().
  void gather(int64_t query, int64_t count, const int32_t* positions, T* x);

 private:
  void score(int64_t query, int64_t n_queries, int64_t n_items, const T* items, const T* biases,
             const T* scales, T* x, int64_t ldx);

  const Catalogue<T>& catalogue_;
  const Blocks blocks_;
  const T* item_scales_;
  Buffer<T> scores_, scratch_, gathered_;
  const T* rows_ = nullptr;
  int64_t ld_ = 0;
};

// One over the length of each vector begin .. end of x[.., d]; 0 for a vector of zeros.
template <class T>
void inverse_lengths(int64_t begin, int64_t end, int64_t d, const T* x, T* scales);

}  // namespace fastnn
