// Sparse updates: the ids of a batch sorted once, each touched row summed and updated once.
#pragma once

#include <memory>
#include <vector>

#include "nn/missed.h"
#include "nn/network.h"
#include "nn/optimizer.h"
#include "nn/sampled.h"

namespace fastnn {

// Ids that a batch has in one input.
struct IdsOf {
  int input;        // position among the network's inputs
  int64_t lookups;  // ids per row of the batch
};

// One ids input of a batch, sorted; tables that read the same input share it. A table that several
// layers look up has all their ids in its own: those of the first layer, then of the second ... Or
// what a loss that samples looked up.
struct SortedIds {
  int input;        // position among the network's inputs; -1 for what a loss looked up
  int64_t lookups;  // ids per row of the batch, of all inputs
  int64_t bound;    // ids lie in [0, bound)
  Buffer<int32_t> ids, order, rows, starts, scratch;
  Buffer<int32_t> positions;  // of the lookups that ids came from; empty when of all in order
  int64_t count = 0, distinct = 0;
  std::vector<IdsOf> several = {};  // the inputs, where there are several
};

template <class T>
struct Table {
  Layer<T>* layer;
  Parameter<T>* parameter;
  TableUse use;
  int64_t d;
  size_t sorted;           // which SortedIds
  Lookups<T> lookups;      // of a loss that samples, else without coefficients
  Buffer<T> sums;          // while gradients are stored: one row per distinct id (or per row)
  Buffer<double> squares;  // likewise, squared norms
  std::vector<Layer<T>*> users = {};  // layers that look it up, where there are several,
  Buffer<T> collected = {};           // and the gradients of all their lookups
  MissedSteps<T> missed = {};         // with sparse_update="exact": the steps of a run
  Buffer<int32_t> last = {};          // by row: the steps of the run that it has seen
};

// A head whose loss samples, and the values that it reads.
template <class T>
struct SampledHead {
  size_t number;  // among the heads
  Sampled<T>* state;
  const T* u;
};

template <class T>
class Tables {
 public:
  // For batches of at most `rows` rows.
  Tables(const Network<T>& network, const OptimizerPlan& plan, int64_t rows, bool store_gradients,
         const std::vector<SampledHead<T>>& sampled);

  // Jobs of sorting: inputs of ids, then heads whose loss samples (sampled).
  size_t n_sorts() const { return n_inputs_ + sampled_.size(); }
  bool empty() const { return tables_.empty(); }
  // Sorts the ids of rows `rows[0..count)` (null: from row `first`) of its input.
  void sort(size_t which, const Kernels<T>& kernels, const std::vector<const void*>& inputs,
            const int32_t* rows, int64_t first, int64_t count);
  // Sorts the lookups of head `which`: before the losses of the rows are known, or after.
  void sort_sampled(size_t which, const Kernels<T>& kernels, const SampledBatch& batch);
  size_t n_inputs() const { return n_inputs_; }
  size_t n_sampled() const { return sampled_.size(); }
  const SampledHead<T>& sampled(size_t which) const { return sampled_[which].head; }

  // Gradients of the lookups of rows first .. first + count of a batch of `batch` rows are known.
  void collect(const Memory<T>& memory, int64_t first, int64_t count, int64_t batch);

  // Whether a batch needs prepare() between its sorts and its rows.
  bool prepares() const { return prepares_; }
  // Before a run: none of its steps has been seen by any row.
  void begin(const std::vector<double>& rates);
  // Part `part` of `parts` of the rows that the batch looks up go through the steps that they
  // missed of the `applied` ones of the run; `applies` says whether the step of the batch will be.
  void prepare(const Kernels<T>& kernels, const OptimizerPlan& plan, int64_t applied, bool applies,
               int part, int parts);
  // A step of the run was applied; while nobody prepares.
  void record(const UpdateStep<T>& step);
  // Part `part` of `parts` of all rows go through what they missed: the end of a run.
  void finish(const Kernels<T>& kernels, const OptimizerPlan& plan, int64_t applied, int part,
              int parts);

  // Part `part` of `parts` of every table: gradients summed and applied; g holds scratch(). noise:
  // seed and step of what rounds bfloat16.
  void update(const Kernels<T>& kernels, const Memory<T>& memory, const OptimizerPlan& plan,
              UpdateStep<T> step, const NoiseKey& noise, int part, int parts, T* g) const;

  // The same in two halves, for clipping by a norm; scales by parameter come between. Coupled L2
  // joins the stored sums when penalized; row holds one.
  void store(const Kernels<T>& kernels, const Memory<T>& memory, bool penalized, int part,
             int parts, T* row);
  double squared_norm(size_t table) const;
  void apply(const Kernels<T>& kernels, const OptimizerPlan& plan, UpdateStep<T> step,
             const NoiseKey& noise, const double* scales, int part, int parts) const;

  // Adds the stored sums of a table into a dense gradient.
  void scatter(size_t table, T* gradient) const;

  const std::vector<Table<T>>& tables() const { return tables_; }
  int64_t scratch() const;  // elements one thread needs

 private:
  struct Range {
    int64_t begin, end;
  };
  struct Sorts {  // of a head whose loss samples: its classes, and their features (0 = none)
    SampledHead<T> head;
    size_t classes, features;
  };
  Table<T>& add(Layer<T>* layer, Parameter<T>* parameter, const TableUse& use, size_t sorted);
  void add_layer(const Network<T>& network, const OptimizerPlan& plan, Layer<T>* layer);
  void add_sampled(const SampledHead<T>& head);
  size_t sorted_of(int input, int64_t lookups, bool shared);
  void add_user(Table<T>& table, Layer<T>* layer, const IdsOf& ids, int64_t bound);
  void reserve(int64_t rows, bool store_gradients);
  void sort(const Kernels<T>& kernels, SortedIds& ids) const;
  void sum_rows(const Kernels<T>& kernels, const Memory<T>& memory, const Table<T>& table,
                int64_t n, const int32_t* starts, T* g) const;
  const T* gradients(const Table<T>& table, const Memory<T>& memory) const;
  Range share(const Table<T>& table, int part, int parts) const;
  void sum(const Kernels<T>& kernels, const Memory<T>& memory, const Table<T>& table, Range range,
           T* g) const;
  void step_rows(const Kernels<T>& kernels, const OptimizerPlan& plan, const UpdateStep<T>& step,
                 const NoiseKey& noise, const Table<T>& table, Range range, const T* g) const;
  void step_halves(const Kernels<T>& kernels, const OptimizerPlan& plan, const UpdateStep<T>& step,
                   NoiseKey noise, const Table<T>& table, Range range, const T* g) const;
  void update_every_row(const Kernels<T>& kernels, const Memory<T>& memory,
                        const OptimizerPlan& plan, const UpdateStep<T>& step, const Table<T>& table,
                        Range range, T* g) const;
  template <class Visit>
  void for_blocks(const Table<T>& table, int part, int parts, Visit visit) const;

  size_t n_inputs_ = 0;
  std::vector<Sorts> sampled_;
  std::vector<SortedIds> sorted_;
  std::vector<Table<T>> tables_;
  bool prepares_ = false;
};

}  // namespace fastnn
