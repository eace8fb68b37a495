// A head in training whose loss samples: the draws of a batch, and the lookups that carry its
// gradients to the tables of a layer of scores.
#pragma once

#include "nn/sampler.h"

namespace fastnn {

// The examples of a batch: rows of a data set.
struct SampledBatch {
  const int32_t* labels;     // of the data set
  const int32_t* known_ids;  // likewise, or null
  const int32_t* rows;       // of the batch, or null for consecutive ones from `first`
  int64_t first, count;
  uint64_t seed;
  uint32_t step;
  bool alone;  // one thread does all, and draws when it lists
};

// What sums the gradients of a table: its row r gets coefficients[p] * sources[p / k] of every
// lookup p of r; coefficients alone without sources, where rows are one number wide.
template <class T>
struct Lookups {
  const T* coefficients = nullptr;
  const T* sources = nullptr;
  int64_t k = 1;
};

template <class T>
class Sampled {
 public:
  Sampled(const Scores<T>& scores, const SampledPlan& plan, const Known* known, int64_t rows);

  const Scores<T>& scores() const { return sampler_.scores(); }
  bool trained() const { return scores().vectors().trainable; }
  bool shared() const { return sampler_.plan().shared; }

  // Before the rows: draws what they share, and gathers part of it.
  void draw(const Kernels<T>& kernels, const SampledBatch& batch);
  void gather(const Kernels<T>& kernels, int part, int parts);
  // Where rows draw for themselves and lookups are sorted early, by one of several threads: part of
  // the draws of the batch, before both.
  bool draws_early() const { return trained() && !shared() && !listed_late(); }
  void draw_part(const Kernels<T>& kernels, const SampledBatch& batch, int part, int parts);
  // A run of steps begins.
  void start(const int32_t* labels, int64_t n);
  // Losses of rows `first` .. of the batch. What rows.u, weights, losses and du point to is that of
  // the first of them.
  void run(const Kernels<T>& kernels, const DrawRows& at, SampledRows<T> rows);
  // After the rows: part of the gradients of what they share; u is the batch's.
  void finish(const Kernels<T>& kernels, const T* u, int64_t count, int part, int parts);

  // The classes of a batch's lookups, and the features of those, with their positions among
  // all slots. A late list needs the losses of the rows.
  bool listed_late() const { return sampler_.plan().warp(); }
  int64_t most_lookups() const;
  int64_t list(const Kernels<T>& kernels, const SampledBatch& batch, int32_t* ids);
  int64_t list_features(const int32_t* classes, int64_t count, int32_t* ids,
                        int32_t* positions) const;
  Lookups<T> vector_lookups(const T* u) const;
  Lookups<T> bias_lookups() const;
  Lookups<T> feature_lookups(const T* u) const;

  int64_t scratch() const { return sampler_.scratch(); }
  double work() const;  // operations per row of a training step

 private:
  DrawRows gather_rows(const SampledBatch& batch, int64_t number);

  Sampler<T> sampler_;
  Columns<T> columns_;
  int64_t rows_, d_, slots_;
  int64_t k_;  // lookups of classes per row
  Buffer<int32_t> ids_, used_, labels_, known_ids_;
  Buffer<T> ds_;          // [rows, k]; shared: then a 1 for each column
  Buffer<T> bias_ds_;     // shared: the same, then the sums of the columns
  Buffer<T> feature_ds_;  // [lookups of classes, slots]
  Buffer<T> sources_;     // shared: u, then the gradients of the columns' vectors
  Buffer<T> z_;           // shared: [rows, columns.stride]
};

// to[count, width] = the rows `rows` of ids[.., width], or its first ones when rows is null.
void gather_ids(const int32_t* ids, const int32_t* rows, int64_t count, int64_t width, int32_t* to);

}  // namespace fastnn
