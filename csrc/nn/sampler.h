// Losses that look at a label and at a few classes drawn at random: the settings, the draws, and
// the losses of some rows.
#pragma once

#include <string>
#include <vector>

#include "nn/scores.h"

namespace fastnn {

enum class Draw { kUniform, kLogUniform, kUnigram, kInBatch };

std::vector<std::string> sampled_loss_names();

// How a loss draws and compares; of an ordinary loss negatives are 0.
struct SampledPlan {
  int64_t negatives = 0;
  bool shared = false;  // all rows of a batch share their negatives: sampled softmax
  Ranking ranking = Ranking::kBpr;
  Draw draw = Draw::kUniform;
  double power = 0.75, margin = 1;
  bool correction = true, remove_hits = true;

  bool warp() const { return !shared && ranking == Ranking::kWarp; }
  int64_t candidates() const { return shared ? 1 : 1 + negatives; }  // of a row
  int64_t used() const { return warp() ? 2 : candidates(); }         // with a gradient
};

// Refuses settings out of range.
SampledPlan plan_sampled(const Spec& spec);

// Classes that count for nothing as negatives, by the id that an input has in a row.
struct Known {
  int input = -1;  // position among the inputs; -1 = nothing is known
  std::vector<int64_t> starts;
  std::vector<int32_t> classes;  // sorted for each id
};

// Where draws come from: seed and step, and the labels and ids of rows.
struct DrawRows {
  uint64_t seed;
  uint32_t step;
  int64_t number, count;     // of the first row, for its draws; rows
  const int32_t* labels;     // of the first row
  const int32_t* known_ids;  // likewise, or null
};

// The columns that all rows of a batch share.
template <class T>
struct Columns {
  int64_t most = 0, count = 0;
  int64_t stride = 0;  // of rows of logits: no multiple of a page, whose lines would share sets
  int64_t draws = 0;   // of other classes than a row's label, in expectation
  Buffer<int32_t> drawn, order, ids, starts, scratch;
  Buffer<T> added;    // log(times drawn / (draws * probability)) + bias
  Buffer<T> vectors;  // [count, d]
};

// Rows that lie one after the other, and where their results go.
template <class T>
struct SampledRows {
  const T *u, *weights;  // the latter may be null
  T scale;
  T* losses;
  T* du;          // or null
  int32_t* ids;   // [count, candidates]
  int32_t* used;  // [count, 2], warp
  T* ds;          // [count, used]
  T* z;           // [count, columns.stride], shared
  T* scratch;     // Sampler::scratch()
};

template <class T>
class Sampler {
 public:
  // For batches of at most `rows` rows, which stand together, as in training, or each alone.
  Sampler(const Scores<T>& scores, const SampledPlan& plan, const Known* known, int64_t rows,
          bool together);

  // Makes ready for examples with these labels.
  void start(const int32_t* labels, int64_t n);

  // ids[count, candidates]: the label, then negatives; what counts for nothing is the label again.
  void draw(const Kernels<T>& kernels, const DrawRows& rows, int32_t* ids) const;
  // The columns of a batch, without their vectors and added; and part of `parts` of those.
  void draw_columns(const Kernels<T>& kernels, const DrawRows& rows, Columns<T>& columns) const;
  void gather_columns(const Kernels<T>& kernels, int part, int parts, Columns<T>& columns) const;

  // Losses and gradients; where rows draw for themselves, of the ids that draw() gave.
  void run(const Kernels<T>& kernels, const DrawRows& at, const Columns<T>& columns,
           const SampledRows<T>& rows) const;

  Columns<T> make_columns() const;
  int64_t scratch() const;
  const Scores<T>& scores() const { return *scores_; }
  const SampledPlan& plan() const { return plan_; }

 private:
  void make_alias(const std::vector<double>& weights);
  int64_t most_columns() const { return in_batch() ? rows_ : plan_.negatives; }
  bool in_batch() const { return together_ && plan_.draw == Draw::kInBatch; }
  void run_shared(const Kernels<T>& kernels, const DrawRows& at, const Columns<T>& columns,
                  const SampledRows<T>& rows) const;
  void mask(const Columns<T>& columns, int32_t label, const int32_t* known_id, T* z) const;

  const Scores<T>* scores_;
  SampledPlan plan_;
  const Known* known_;
  int64_t rows_, units_, d_;
  bool together_;
  std::vector<int64_t> counts_;  // of the labels that the table was made for
  Buffer<uint32_t> alias_;       // [units, 2], or empty
  std::vector<double> log_q_;    // of a draw, by class; empty where all are alike
};

}  // namespace fastnn
