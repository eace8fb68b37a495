// Steps of training: the two phases of docs/design.md, section 5.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/parallel.h"
#include "nn/loss.h"
#include "nn/optimizer.h"
#include "nn/poll.h"
#include "nn/tables.h"

namespace fastnn {

// Arrays of a data set, borrowed: one row per example.
template <class T>
struct Examples {
  int64_t n = 0;
  std::vector<const void*> inputs;   // T, or int32 for ids, or
  std::vector<bool> bytes;           // uint8 for numbers, by input
  std::vector<const void*> targets;  // T, or int32 for classes
  const T* weights = nullptr;        // one per row, or null
};

// Which steps to run.
struct Run {
  int64_t batch_size = 32;
  bool shuffle = true;
  uint64_t seed = 0;
  int64_t epoch = 0, first_step = 0;
  std::vector<double> rates;  // one per step
  int threads = 0;            // at most; 0 = default_threads()
  Ask poll;                   // whether to stop
};

struct Report {
  double loss = 0;              // sum of weighted losses over the rows seen, divided by weight
  std::vector<double> losses;   // the same per head, unweighted by loss_weights
  std::vector<double> metrics;  // per head and metric
  double weight = 0;            // sum of the rows' weights
  int64_t steps = 0, examples = 0;
  bool interrupted = false, diverged = false;
};

template <class T>
class Trainer {
 public:
  Trainer(const Network<T>& network, const std::vector<Head<T>>& heads, const Known& known,
          const OptimizerPlan& optimizer, int64_t batch_size, bool store_gradients);

  // Runs the steps; `done` counts the model's steps and is advanced.
  Report run(const Examples<T>& examples, const Run& run, int64_t& done);

  // Loss over all examples as one batch, and its gradients into Parameter::gradient; noise and
  // the parameters' penalties are left out.
  double gradients(const Examples<T>& examples);

  int64_t batch_size() const { return batch_size_; }

 private:
  struct Step {           // the batch of one step
    const int32_t* rows;  // of the data set, or null for consecutive ones
    int64_t first, count;
    double weight;    // sum of the batch's weights
    int64_t number;   // the model's step, from 0
    int64_t applied;  // steps of the run that changed weights, so far
  };

  void plan_tiles();
  using SampledList = std::vector<std::unique_ptr<Sampled<T>>>;  // by head
  static SampledList plan_sampled(const std::vector<Head<T>>& heads, const Known& known,
                                  int64_t rows);
  std::vector<SampledHead<T>> sampled_heads() const;
  void start_sampled(const Examples<T>& examples);
  int choose_threads(int most) const;
  void prepare_threads(int threads);
  void order_epoch(const Examples<T>& examples, const Run& run);
  Step step_at(const Examples<T>& examples, const Run& run, int64_t index, int64_t done) const;

  using Counters = std::vector<std::atomic<int64_t>>;  // of jobs, by stage
  size_t n_stages() const { return mixers_.size() + mixers_back_.size() + 1; }
  Counters new_counters() const { return Counters(n_stages() + 1); }  // the last one of sorts
  void rows_phase(const Team& team, const Examples<T>& examples, const Step& step, uint64_t seed,
                  bool training, Counters& counters);
  void prepare(const Team& team, const Examples<T>& examples, const Step& step, uint64_t seed,
               std::atomic<int64_t>& next);
  void sort(size_t which, const Examples<T>& examples, const Step& step, uint64_t seed);
  SampledBatch sampled_batch(size_t which, const Examples<T>& examples, const Step& step,
                             uint64_t seed) const;
  void draw_rows(const Team& team, const Examples<T>& examples, const Step& step, uint64_t seed);
  void sort_sampled(size_t which, const Examples<T>& examples, const Step& step, uint64_t seed,
                    bool late);
  void finish_sampled(const Team& team, const Examples<T>& examples, const Step& step,
                      uint64_t seed);
  void sampled_loss(size_t head, const Pass<T>& pass, int64_t first, int64_t count);
  void meet(const Team& team, size_t stage, const Pass<T>& pass, int64_t count);
  void rows_job(size_t stage, const Pass<T>& pass, int64_t first, int64_t count, int64_t batch);
  bool prepares() const;
  void losses(const Pass<T>& pass, int64_t first, int64_t count);
  void gather(const Examples<T>& examples, const Step& step, int64_t first, int64_t count);
  void weights_phase(const Team& team, const UpdateStep<T>& update, const NoiseKey& noise);
  void update_tiles(const Team& team, const UpdateStep<T>& update, const NoiseKey& noise);
  void update_tile(const Tile& tile, UpdateStep<T> update, const T* g, int64_t stride, bool shared);
  void store_gradients(const Team& team, bool penalized);
  void apply_gradients(const Team& team, const UpdateStep<T>& update, const NoiseKey& noise);
  void gradient_scales(std::vector<double>& scales) const;
  double batch_loss(const Step& step) const;
  void add_to(Report& report, const Step& step, double loss) const;
  Parameter<T>& parameter_of(const Tile& tile) const;
  T* tile_gradient(const Team& team, const Tile& tile) const;

  const Network<T>& network_;
  const std::vector<Head<T>>& heads_;
  const OptimizerPlan& optimizer_;
  const Kernels<T>& kernels_;
  const int64_t batch_size_;
  const bool store_;
  const Known& known_;
  std::vector<bool> idle_;
  const std::vector<bool> unused_;  // nodes that no loss reads, though they are outputs
  std::unique_ptr<Arena<T>> arena_;
  SampledList sampled_;  // null where a loss does not sample
  Tables<T> tables_;
  std::vector<Tile> tiles_;
  std::vector<double> tile_squares_;          // while gradients are stored
  int64_t tile_elements_ = 0;                 // room for the gradient of the largest tile
  int64_t tile_scratch_ = 0;                  // what layers need beside it
  std::vector<size_t> mixers_, mixers_back_;  // nodes that mix rows, in the order they are met

  // Per batch.
  Buffer<T> row_losses_, row_metrics_, row_penalties_, row_weights_;
  std::vector<Buffer<T>> targets_;
  std::vector<Buffer<int32_t>> labels_;
  int64_t count_ = 0;  // rows of the batch in the arena

  // Per team.
  int64_t chunk_ = 0;                        // rows per job
  bool alone_ = true;                        // one thread does all
  std::vector<Buffer<T>> scratch_;           // per thread
  std::vector<std::vector<double>> scales_;  // per thread, factors of gradients
  std::vector<size_t> bounds_;               // tiles bounds_[t] .. bounds_[t + 1] are thread t's

  // The order of an epoch.
  Buffer<int32_t> order_;
  uint64_t order_seed_ = 0;
  int64_t order_epoch_ = -1, order_n_ = -1;
};

}  // namespace fastnn
