#include "nn/trainer.h"

#include <algorithm>
#include <cmath>

#include "base/denormals.h"

namespace fastnn {
namespace {

constexpr double kWorkPerThread = 4e6;       // operations a step needs before a second thread pays
constexpr int64_t kMostChunk = 64;           // rows a thread carries through the net at once ...
constexpr int64_t kNarrowChunk = 512;        // ... up to so many when rows are narrow:
constexpr int64_t kChunkElements = 1 << 17;  // their values and gradients fill half a cache
constexpr int64_t kLeastChunk = 14;          // one register tile of rows
constexpr int64_t kStreamedElements = 1 << 24;  // weights that no cache holds go past them

template <class T>
std::vector<int> head_nodes(const std::vector<Head<T>>& heads) {
  std::vector<int> nodes;
  for (const auto& head : heads) nodes.push_back(head.node);
  return nodes;
}

// Whether tile i > 0 belongs to another parameter than the one before it.
bool starts_parameter(const std::vector<Tile>& tiles, size_t i) {
  return tiles[i].layer != tiles[i - 1].layer || tiles[i].parameter != tiles[i - 1].parameter;
}

}  // namespace

template <class T>
Trainer<T>::Trainer(const Network<T>& network, const std::vector<Head<T>>& heads,
                    const OptimizerPlan& optimizer, int64_t batch_size, bool store_gradients)
    : network_(network),
      heads_(heads),
      optimizer_(optimizer),
      kernels_(kernels<T>()),
      batch_size_(batch_size),
      store_(store_gradients),
      arena_(std::make_unique<Arena<T>>(network, batch_size, head_nodes(heads))),
      tables_(network, batch_size, store_gradients) {
  idle_.assign(network.layers.size(), false);
  int64_t n_metrics = 0;
  for (const Head<T>& head : heads) {
    idle_[static_cast<size_t>(head.output)] = head.activation_idle(network);
    n_metrics += static_cast<int64_t>(head.metrics.size());
    targets_.emplace_back(head.labels ? 0 : checked_multiply(batch_size, head.n));
    labels_.emplace_back(head.labels ? batch_size : 0);
  }
  row_losses_.reset(checked_multiply(batch_size, static_cast<int64_t>(heads.size())));
  row_metrics_.reset(checked_multiply(batch_size, n_metrics));
  row_penalties_.reset(batch_size);
  row_weights_.reset(batch_size);
  plan_tiles();
}

template <class T>
void Trainer<T>::plan_tiles() {
  for (const auto& layer : network_.layers) {
    if (layer != nullptr) layer->add_tiles(tiles_);
  }
  for (const Tile& tile : tiles_) tile_elements_ = std::max(tile_elements_, tile.end - tile.begin);
  if (!store_) return;
  tile_squares_.resize(tiles_.size());
  for (const Tile& tile : tiles_) {
    Parameter<T>& parameter = parameter_of(tile);
    parameter.gradient.reserve(parameter.size());
  }
}

// Threads by the work of a step: small nets lose more by sharing weights between cores than they
// gain. The choice changes no result.
template <class T>
int Trainer<T>::choose_threads(int most) const {
  if (most <= 0) most = default_threads();
  double elements = 0;
  for (const Tile& tile : tiles_) elements += 16.0 * static_cast<double>(tile.end - tile.begin);
  const double work = network_.work() * static_cast<double>(batch_size_) + elements;
  return std::max(1, std::min(most, static_cast<int>(work / kWorkPerThread)));
}

template <class T>
void Trainer<T>::prepare_threads(int threads) {
  const int64_t jobs = threads == 1 ? 1 : 2 * threads;
  const int64_t most =
      std::clamp(kChunkElements / network_.row_elements(), kMostChunk, kNarrowChunk);
  chunk_ = std::clamp((batch_size_ + jobs - 1) / jobs, kLeastChunk, most);
  if (threads > 1 && chunk_ == kLeastChunk) {
    chunk_ = std::clamp((batch_size_ + threads - 1) / threads, int64_t{1}, kMostChunk);
  }
  if (static_cast<int>(scratch_.size()) < threads) scratch_.resize(static_cast<size_t>(threads));
  scales_.resize(scratch_.size());
  for (auto& scales : scales_) scales.reserve(tiles_.size() + tables_.tables().size());
  const int64_t needed = std::max({tile_elements_, tables_.scratch(), network_.scratch(chunk_)});
  for (Buffer<T>& buffer : scratch_) buffer.reserve(needed);
  double total = 0;
  for (const Tile& tile : tiles_) total += tile.cost;
  bounds_.assign(1, 0);
  double sum = 0;
  for (size_t i = 0; i < tiles_.size() && static_cast<int>(bounds_.size()) < threads; ++i) {
    sum += tiles_[i].cost;
    const auto filled = static_cast<double>(bounds_.size());
    if (sum >= total * filled / threads - 0.5 * tiles_[i].cost) bounds_.push_back(i + 1);
  }
  while (static_cast<int>(bounds_.size()) < threads + 1) bounds_.push_back(tiles_.size());
}

template <class T>
void Trainer<T>::order_epoch(const Examples<T>& examples, const Run& run) {
  if (!run.shuffle) return;
  if (order_epoch_ == run.epoch && order_seed_ == run.seed && order_n_ == examples.n) return;
  order_.reserve(examples.n);
  kernels_.epoch_order(run.seed, static_cast<uint32_t>(run.epoch), examples.n, order_.data());
  order_epoch_ = run.epoch;
  order_seed_ = run.seed;
  order_n_ = examples.n;
}

template <class T>
typename Trainer<T>::Step Trainer<T>::step_at(const Examples<T>& examples, const Run& run,
                                              int64_t index, int64_t done) const {
  Step step{};
  step.first = index * run.batch_size;
  step.count = std::min(run.batch_size, examples.n - step.first);
  step.rows = run.shuffle ? order_.data() + step.first : nullptr;
  step.number = done;
  step.weight = static_cast<double>(step.count);
  if (examples.weights != nullptr) {
    step.weight = 0;
    for (int64_t i = 0; i < step.count; ++i) {
      const int64_t row = step.rows != nullptr ? step.rows[i] : step.first + i;
      step.weight += static_cast<double>(examples.weights[row]);
    }
  }
  return step;
}

// --- rows phase ----------------------------------------------------------------------------------

template <class T>
void Trainer<T>::rows_phase(const Team& team, const Examples<T>& examples, const Step& step,
                            uint64_t seed, bool training, std::atomic<int64_t>& next) {
  Pass<T> pass{kernels_};
  pass.training = training;
  pass.noise = {seed, static_cast<uint32_t>(step.number), 0};
  pass.scratch = scratch_[static_cast<size_t>(team.member)].data();
  pass.row_weights = examples.weights != nullptr ? row_weights_.data() : nullptr;
  pass.row_scale = step.weight > 0 ? static_cast<T>(1 / step.weight) : T{0};
  pass.penalties = row_penalties_.data();
  const auto sorts = static_cast<int64_t>(tables_.n_sorts());
  const int64_t jobs = sorts + (step.count + chunk_ - 1) / chunk_;
  for (int64_t job = next.fetch_add(1); job < jobs; job = next.fetch_add(1)) {
    if (job < sorts) {
      tables_.sort(static_cast<size_t>(job), kernels_, examples.inputs, step.rows, step.first,
                   step.count);
    } else {
      const int64_t first = (job - sorts) * chunk_;
      rows_job(examples, step, pass, first, std::min(chunk_, step.count - first));
    }
  }
}

// Rows first .. first + count of the batch from the data set to their gradients.
template <class T>
void Trainer<T>::rows_job(const Examples<T>& examples, const Step& step, const Pass<T>& pass,
                          int64_t first, int64_t count) {
  gather(examples, step, first, count);
  std::fill_n(row_penalties_.data() + first, count, T{0});
  network_.forward(arena_->memory, pass, first, count, idle_);
  const T* weights = pass.row_weights != nullptr ? pass.row_weights + first : nullptr;
  T* metrics = row_metrics_.data() + first;
  for (size_t h = 0; h < heads_.size(); ++h) {
    const Head<T>& head = heads_[h];
    Target<T> target;
    if (head.labels) {
      target.labels = labels_[h].data() + first;
    } else {
      target.numbers = targets_[h].data() + first * head.n;
    }
    const T* values = arena_->memory.values[static_cast<size_t>(head.node)] + first * head.n;
    T* gradient = arena_->head_gradient(h);
    run_loss(head, kernels_, count, values, target, weights, pass.row_scale,
             row_losses_.data() + static_cast<int64_t>(h) * batch_size_ + first,
             gradient == nullptr ? nullptr : gradient + first * head.n);
    for (Metric metric : head.metrics) {
      run_metric(head, metric, kernels_, count, arena_->memory, first, target, weights, metrics);
      metrics += batch_size_;
    }
  }
  arena_->backward(network_, pass, first, count);
}

template <class T>
void Trainer<T>::gather(const Examples<T>& examples, const Step& step, int64_t first,
                        int64_t count) {
  const int32_t* rows = step.rows != nullptr ? step.rows + first : nullptr;
  const int64_t base = step.rows != nullptr ? 0 : step.first + first;
  const auto numbers = [&](const void* from, int64_t width, T* to) {
    kernels_.gather_rows(count, width, static_cast<const T*>(from) + base * width, rows,
                         to + first * width);
  };
  const auto whole = [&](const void* from, int64_t width, int32_t* to) {
    gather_ids(static_cast<const int32_t*>(from) + base * width, rows, count, width,
               to + first * width);
  };
  for (size_t i = 0; i < network_.inputs.size(); ++i) {
    const int node = network_.inputs[i];
    const Value& value = network_.values[static_cast<size_t>(node)];
    if (value.ids) {
      whole(examples.inputs[i], value.width(), arena_->input_ids(node));
    } else {
      numbers(examples.inputs[i], value.width(), arena_->input_rows(node));
    }
  }
  for (size_t h = 0; h < heads_.size(); ++h) {
    if (heads_[h].labels) {
      whole(examples.targets[h], 1, labels_[h].data());
    } else {
      numbers(examples.targets[h], heads_[h].n, targets_[h].data());
    }
  }
  if (examples.weights != nullptr) numbers(examples.weights, 1, row_weights_.data());
}

// --- weights phase -------------------------------------------------------------------------------

template <class T>
Parameter<T>& Trainer<T>::parameter_of(const Tile& tile) const {
  return *network_.layers[static_cast<size_t>(tile.layer)]
              ->parameters[static_cast<size_t>(tile.parameter)];
}

template <class T>
Rows<T> Trainer<T>::whole_batch(const Tile& tile, const Pass<T>& pass, int64_t count) const {
  return Rows<T>(*network_.layers[static_cast<size_t>(tile.layer)], arena_->memory, pass, 0, count);
}

template <class T>
void Trainer<T>::weights_phase(const Team& team, const UpdateStep<T>& update) {
  if (!store_) return update_tiles(team, update);
  store_gradients(team, true);
  team.wait();
  apply_gradients(team, update);
}

// Each tile's gradient is summed over the batch and used at once; it never leaves the caches.
template <class T>
void Trainer<T>::update_tiles(const Team& team, const UpdateStep<T>& update) {
  const auto member = static_cast<size_t>(team.member);
  T* g = scratch_[member].data();
  const Pass<T> pass{kernels_};
  for (size_t i = bounds_[member]; i < bounds_[member + 1]; ++i) {
    const Tile& tile = tiles_[i];
    network_.layers[static_cast<size_t>(tile.layer)]->gradient(tile,
                                                               whole_batch(tile, pass, count_), g);
    update_piece(parameter_of(tile), tile, update, g, team.size > 1);
  }
  tables_.update(kernels_, arena_->memory, optimizer_, update, team.member, team.size, g);
}

template <class T>
void Trainer<T>::update_piece(Parameter<T>& parameter, const Tile& tile, UpdateStep<T> update,
                              const T* g, bool shared) {
  update.l1 = static_cast<T>(parameter.l1);
  update.l2 = store_ ? T{0} : static_cast<T>(parameter.l2);  // stored gradients hold it already
  const Slots<T> slots(parameter, tile.begin);
  kernels_.update(optimizer_.kind, update, tile.end - tile.begin,
                  parameter.value.data() + tile.begin, slots[0], slots[1], slots[2], g,
                  shared && parameter.size() >= kStreamedElements);
}

template <class T>
void Trainer<T>::store_gradients(const Team& team, bool penalized) {
  const auto member = static_cast<size_t>(team.member);
  const Pass<T> pass{kernels_};
  for (size_t i = bounds_[member]; i < bounds_[member + 1]; ++i) {
    const Tile& tile = tiles_[i];
    Parameter<T>& parameter = parameter_of(tile);
    T* g = parameter.gradient.data() + tile.begin;
    network_.layers[static_cast<size_t>(tile.layer)]->gradient(tile,
                                                               whole_batch(tile, pass, count_), g);
    const T l2 = penalized ? static_cast<T>(parameter.l2) : T{0};
    kernels_.regularize(tile.end - tile.begin, parameter.value.data() + tile.begin, l2, T{0}, g);
    tile_squares_[i] = kernels_.sum_squares(tile.end - tile.begin, g);
  }
  tables_.store(kernels_, arena_->memory, penalized, team.member, team.size);
}

// Factors that bring norms down to their bounds: one per layer's parameter in tiles_' order of
// parameters, then one per table.
template <class T>
void Trainer<T>::gradient_scales(std::vector<double>& squares) const {
  squares.clear();
  for (size_t i = 0; i < tiles_.size(); ++i) {
    if (i == 0 || starts_parameter(tiles_, i)) squares.push_back(0);
    squares.back() += tile_squares_[i];
  }
  for (size_t t = 0; t < tables_.tables().size(); ++t) squares.push_back(tables_.squared_norm(t));
  double total = 0;
  for (double square : squares) total += square;
  for (double& square : squares) {
    const bool global = optimizer_.global_clip_norm > 0;
    const double bound = global ? optimizer_.global_clip_norm : optimizer_.clip_norm;
    const double norm = std::sqrt(global ? total : square);
    square = bound > 0 && norm > bound ? bound / norm : 1.0;
  }
}

template <class T>
void Trainer<T>::apply_gradients(const Team& team, const UpdateStep<T>& update) {
  const auto member = static_cast<size_t>(team.member);
  std::vector<double>& scales = scales_[member];
  gradient_scales(scales);
  size_t parameter_number = 0;
  for (size_t i = 0; i < bounds_[member + 1]; ++i) {
    const Tile& tile = tiles_[i];
    if (i > 0 && starts_parameter(tiles_, i)) ++parameter_number;
    if (i < bounds_[member]) continue;
    Parameter<T>& parameter = parameter_of(tile);
    UpdateStep<T> own = update;
    own.gradient_scale = static_cast<T>(scales[parameter_number]);
    own.clip_value = 0;
    update_piece(parameter, tile, own, parameter.gradient.data() + tile.begin, team.size > 1);
  }
  const double* of_tables = scales.data() + scales.size() - tables_.tables().size();
  tables_.apply(kernels_, optimizer_, update, of_tables, team.member, team.size);
}

// --- steps ---------------------------------------------------------------------------------------

template <class T>
double Trainer<T>::batch_loss(const Step& step) const {
  double loss = kernels_.sum(step.count, row_penalties_.data());
  for (size_t h = 0; h < heads_.size(); ++h) {
    loss += heads_[h].weight *
            kernels_.sum(step.count, row_losses_.data() + static_cast<int64_t>(h) * batch_size_);
  }
  return loss;
}

template <class T>
void Trainer<T>::add_to(Report& report, const Step& step, double loss) const {
  report.loss += loss;
  report.weight += step.weight;
  report.examples += step.count;
  ++report.steps;
  size_t metric = 0;
  for (size_t h = 0; h < heads_.size(); ++h) {
    const auto at = static_cast<int64_t>(h) * batch_size_;
    report.losses[h] += kernels_.sum(step.count, row_losses_.data() + at);
    for (size_t i = 0; i < heads_[h].metrics.size(); ++i, ++metric) {
      const auto from = static_cast<int64_t>(metric) * batch_size_;
      report.metrics[metric] += kernels_.sum(step.count, row_metrics_.data() + from);
    }
  }
}

template <class T>
Report Trainer<T>::run(const Examples<T>& examples, const Run& run, int64_t& done) {
  Report report;
  report.losses.assign(heads_.size(), 0);
  report.metrics.assign(static_cast<size_t>(row_metrics_.size() / batch_size_), 0);
  order_epoch(examples, run);
  const int threads = choose_threads(run.threads);
  prepare_threads(threads);
  std::atomic<int64_t> next[2] = {{0}, {0}};  // jobs of even and odd steps
  std::atomic<bool> stop{false};
  const auto n_steps = static_cast<int64_t>(run.rates.size());
  const int64_t start = done;
  Poll poll(run.poll);
  parallel(threads, [&](const Team& team) {
    const FlushDenormals flush;
    if (team.member == 0 && team.size < threads) prepare_threads(team.size);
    team.wait();
    for (int64_t s = 0; s < n_steps; ++s) {
      const Step step = step_at(examples, run, run.first_step + s, start + s);
      if (team.member == 0) {
        count_ = step.count;
        next[(s + 1) % 2].store(0, std::memory_order_relaxed);
      }
      rows_phase(team, examples, step, run.seed, true, next[s % 2]);
      team.wait();
      const double loss = batch_loss(step);
      if (!std::isfinite(loss)) {
        if (team.member == 0) report.diverged = true;
        break;
      }
      const double rate = run.rates[static_cast<size_t>(s)];
      if (step.weight > 0) weights_phase(team, update_step<T>(optimizer_, rate, start + s + 1));
      if (team.member == 0) {
        add_to(report, step, loss);
        if (poll.stop()) stop.store(true);
      }
      team.wait();
      if (stop.load()) break;
    }
  });
  report.interrupted = stop.load();
  done += report.steps;
  return report;
}

template <class T>
double Trainer<T>::gradients(const Examples<T>& examples) {
  prepare_threads(1);
  Run run;
  run.batch_size = batch_size_;
  run.shuffle = false;
  const Step step = step_at(examples, run, 0, 0);
  count_ = step.count;
  std::atomic<int64_t> next{0};
  double loss = 0;
  parallel(1, [&](const Team& team) {
    rows_phase(team, examples, step, 0, false, next);
    loss = step.weight > 0 ? batch_loss(step) / step.weight : 0;
    store_gradients(team, false);
  });
  size_t table = 0;
  for (const Table<T>& used : tables_.tables()) {
    used.parameter->gradient.reset(used.parameter->size());
    tables_.scatter(table++, used.parameter->gradient.data());
  }
  return loss;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace fastnn
