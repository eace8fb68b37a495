#include "nn/trainer.h"

#include <algorithm>
#include <cmath>

#include "base/denormals.h"

namespace fastnn {
namespace {

constexpr double kWorkPerThread = 4e6;       // operations a step needs before a second thread pays
constexpr int64_t kNarrowChunk = 512;        // rows a thread carries at most, when they are narrow:
constexpr int64_t kChunkElements = 1 << 17;  // their values and gradients fill half a cache
constexpr int64_t kLeastChunk = 14;          // one register tile of rows
constexpr int64_t kLine = 16;                // elements that begin on a cache line in either type

template <class T>
std::vector<int> head_nodes(const std::vector<Head<T>>& heads) {
  std::vector<int> nodes;
  for (const auto& head : heads) nodes.push_back(head.node);
  return nodes;
}

// Scores whose loss samples: it computes those that it wants.
template <class T>
std::vector<bool> unused_nodes(const Network<T>& network, const std::vector<Head<T>>& heads) {
  std::vector<bool> unused(network.layers.size(), false);
  for (const auto& head : heads) {
    if (head.scores != nullptr) unused[static_cast<size_t>(head.output)] = true;
  }
  return unused;
}

}  // namespace

template <class T>
Trainer<T>::Trainer(const Network<T>& network, const std::vector<Head<T>>& heads,
                    const Known& known, const OptimizerPlan& optimizer, int64_t batch_size,
                    bool store_gradients)
    : network_(network),
      heads_(heads),
      optimizer_(optimizer),
      kernels_(kernels<T>()),
      batch_size_(batch_size),
      store_(store_gradients),
      known_(known),
      unused_(unused_nodes(network, heads)),
      arena_(std::make_unique<Arena<T>>(network, batch_size, head_nodes(heads), unused_)),
      sampled_(plan_sampled(heads, known, batch_size)),
      tables_(network, optimizer, batch_size, store_gradients, sampled_heads()) {
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
  for (size_t node = 0; node < network.layers.size(); ++node) {
    if (network.layers[node] == nullptr || !network.layers[node]->mixes_rows()) continue;
    mixers_.push_back(node);
    if (arena_->memory.gradients[node] != nullptr) {
      mixers_back_.insert(mixers_back_.begin(), node);
    }
  }
  plan_tiles();
}

template <class T>
Parameter<T>& Trainer<T>::parameter_of(const Tile& tile) const {
  return *network_.layers[static_cast<size_t>(tile.layer)]
              ->parameters[static_cast<size_t>(tile.parameter)];
}

template <class T>
void Trainer<T>::plan_tiles() {
  for (const auto& layer : network_.layers) {
    if (layer == nullptr || unused_[static_cast<size_t>(layer->position)]) continue;
    layer->add_tiles(tiles_);
    tile_scratch_ = std::max(tile_scratch_, layer->tile_scratch());
  }
  for (const Tile& tile : tiles_) tile_elements_ = std::max(tile_elements_, tile.size());
  tile_elements_ = (tile_elements_ + kLine - 1) / kLine * kLine;
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
  for (const Tile& tile : tiles_) elements += 16.0 * static_cast<double>(tile.size());
  double of_row = network_.work(unused_);
  for (const auto& sampled : sampled_) of_row += sampled == nullptr ? 0 : sampled->work();
  const double work = of_row * static_cast<double>(batch_size_) + elements;
  return std::max(1, std::min(most, static_cast<int>(work / kWorkPerThread)));
}

template <class T>
void Trainer<T>::prepare_threads(int threads) {
  alone_ = threads == 1;
  const int64_t jobs = alone_ ? 1 : 2 * threads;
  const int64_t most = std::clamp(kChunkElements / network_.row_elements(unused_),
                                  kernels_.dense_rows, kNarrowChunk);
  chunk_ = std::clamp((batch_size_ + jobs - 1) / jobs, kLeastChunk, most);
  if (threads > 1 && chunk_ == kLeastChunk) {
    chunk_ = std::clamp((batch_size_ + threads - 1) / threads, int64_t{1}, kernels_.dense_rows);
  }
  chunk_ = (chunk_ + network_.unit() - 1) / network_.unit() * network_.unit();
  if (static_cast<int>(scratch_.size()) < threads) scratch_.resize(static_cast<size_t>(threads));
  scales_.resize(scratch_.size());
  for (auto& scales : scales_) scales.reserve(tiles_.size() + tables_.tables().size());
  int64_t needed = std::max(
      {tile_elements_ + tile_scratch_, tables_.scratch(), network_.scratch(chunk_, unused_)});
  for (const auto& sampled : sampled_)
    if (sampled != nullptr) needed = std::max(needed, sampled->scratch());
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
  start_sampled(examples);
  const int threads = choose_threads(run.threads);
  prepare_threads(threads);
  Counters counters[2] = {new_counters(), new_counters()};  // of even and odd steps
  std::atomic<bool> stop{false};
  const auto n_steps = static_cast<int64_t>(run.rates.size());
  const int64_t start = done;
  Poll poll(run.poll);
  tables_.begin(run.rates);
  parallel(threads, [&](const Team& team) {
    const FlushDenormals flush;
    if (team.member == 0 && team.size < threads) prepare_threads(team.size);
    team.wait();
    int64_t applied = 0;
    for (int64_t s = 0; s < n_steps; ++s) {
      Step step = step_at(examples, run, run.first_step + s, start + s);
      step.applied = applied;
      if (team.member == 0) {
        count_ = step.count;
        for (auto& next : counters[(s + 1) % 2]) next.store(0, std::memory_order_relaxed);
      }
      rows_phase(team, examples, step, run.seed, true, counters[s % 2]);
      team.wait();
      const double loss = batch_loss(step);
      if (!std::isfinite(loss)) {
        if (team.member == 0) report.diverged = true;
        break;
      }
      const double rate = run.rates[static_cast<size_t>(s)];
      if (step.weight > 0) {
        finish_sampled(team, examples, step, run.seed);
        const UpdateStep<T> update = update_step<T>(optimizer_, rate, start + s + 1);
        weights_phase(team, update, {run.seed, static_cast<uint32_t>(step.number), 0});
        if (team.member == 0) tables_.record(update);
        ++applied;
      }
      if (team.member == 0) {
        add_to(report, step, loss);
        if (poll.stop()) stop.store(true);
      }
      team.wait();
      if (stop.load()) break;
    }
    tables_.finish(kernels_, optimizer_, applied, team.member, team.size);
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
  Counters counters = new_counters();
  start_sampled(examples);
  double loss = 0;
  parallel(1, [&](const Team& team) {
    rows_phase(team, examples, step, 0, false, counters);
    loss = step.weight > 0 ? batch_loss(step) / step.weight : 0;
    finish_sampled(team, examples, step, 0);
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
