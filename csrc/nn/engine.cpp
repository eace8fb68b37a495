#include "nn/engine.h"

#include <algorithm>
#include <cmath>
#include <mutex>

namespace fastnn {
namespace {

// Throws for the first value outside [0, bound).
void check_bounds(const int32_t* values, int64_t count, int64_t width, int64_t bound,
                  const std::string& what) {
  uint32_t most = 0;
  for (int64_t i = 0; i < count; ++i) most = std::max(most, static_cast<uint32_t>(values[i]));
  if (count == 0 || most < static_cast<uint64_t>(bound)) return;
  for (int64_t i = 0; i < count; ++i) {
    check(values[i] >= 0 && values[i] < bound, what, ": expected values in [0, ", bound, "), got ",
          values[i], " at row ", i / width);
  }
}

// Calls visit(i, w) for every element of a parameter, whatever holds them.
template <class T, class Visit>
void for_elements(const Parameter<T>& parameter, Visit visit) {
  constexpr int64_t kPiece = 256;
  T piece[kPiece];
  for (int64_t first = 0; first < parameter.size(); first += kPiece) {
    const int64_t count = std::min(kPiece, parameter.size() - first);
    parameter.read(first, count, piece);
    for (int64_t i = 0; i < count; ++i) visit(first + i, static_cast<double>(piece[i]));
  }
}

void to_means(Report& report) {
  const double divisor = report.weight > 0 ? report.weight : 1;
  report.loss /= divisor;
  for (double& loss : report.losses) loss /= divisor;
  for (double& metric : report.metrics) metric /= divisor;
}

}  // namespace

std::shared_mutex& ModelLock::mutex() {
  if (generation_ != fork_generation()) {
    (void)mutex_.release();  // perhaps held by a thread that does not exist here: never destroyed
    mutex_ = std::make_unique<std::shared_mutex>();
    generation_ = fork_generation();
  }
  return *mutex_;
}

template <class T>
Engine<T>::Engine(const std::vector<Node>& nodes, const std::vector<int>& outputs,
                  const Options& options)
    : network_(nodes, outputs, options) {}

template <class T>
std::vector<Shape> Engine<T>::shapes() const {
  std::vector<Shape> shapes;
  for (int node : network_.positions) {
    shapes.push_back(network_.values[static_cast<size_t>(node)].shape);
  }
  return shapes;
}

template <class T>
Parameter<T>& Engine<T>::parameter(const std::string& name) const {
  std::string names;
  for (Parameter<T>* parameter : network_.parameters) {
    if (parameter->name == name) return *parameter;
    names += (names.empty() ? "" : ", ") + parameter->name;
  }
  check(false, "name: expected a parameter among ", names, ", got ", name);
  return *network_.parameters[0];
}

template <class T>
void Engine<T>::set(const std::string& name, int64_t first, int64_t count, const T* values) {
  Parameter<T>& found = parameter(name);
  found.write(first, count, values);
  for (const auto& layer : network_.layers) {
    if (layer == nullptr) continue;
    for (const auto& own : layer->parameters) {
      if (own.get() == &found) layer->refresh(nullptr);
    }
  }
  folded_ = false;
}

template <class T>
std::pair<double, double> Engine<T>::norms(const std::string& name) const {
  const Parameter<T>& found = parameter(name);
  double absolute = 0, squared = 0;
  for_elements(found, [&](int64_t, double w) {
    absolute += std::abs(w);
    squared += w * w;
  });
  return {absolute, squared};
}

// Before a prediction: the first one after a change of weights brings folded layers up to date.
template <class T>
void Engine<T>::fold() {
  if (folded_) return;
  const std::unique_lock<std::shared_mutex> lock(fold_lock_.mutex());
  if (folded_) return;
  network_.fold();
  folded_ = true;
}

template <class T>
void Engine<T>::compile(const std::vector<Spec>& losses, const std::vector<double>& loss_weights,
                        const Spec& optimizer,
                        const std::vector<std::vector<std::string>>& metrics) {
  std::vector<Head<T>> heads = plan_heads(network_, losses, loss_weights, metrics);
  const OptimizerPlan plan = plan_optimizer(optimizer);
  check_exact(plan);
  const std::unique_lock<std::shared_mutex> lock(mutex());
  trainer_.reset();
  heads_ = std::move(heads);
  optimizer_ = plan;
  for (Parameter<T>* parameter : network_.parameters) reset_slots(optimizer_, *parameter);
  step_ = 0;
  compiled_ = true;
}

// Refuses sparse_update="exact" where rows that were left alone cannot catch up.
template <class T>
void Engine<T>::check_exact(const OptimizerPlan& plan) const {
  for (const auto& layer : network_.layers) {
    if (layer == nullptr || layer->table() == nullptr || !layer->table()->exact) continue;
    const Parameter<T>& parameter = *layer->table_parameter();
    if (!parameter.trainable) continue;
    const std::string reason = no_exact_form(plan, parameter.l1, parameter.l2);
    check(reason.empty(), layer->name, ": expected sparse_update touched or dense, got exact with ",
          reason);
  }
}

template <class T>
void Engine<T>::exclude_negatives(int64_t input, const int64_t* starts, int64_t n_starts,
                                  const int32_t* classes) {
  check(input >= 0 && input < static_cast<int64_t>(network_.inputs.size()),
        "input: expected one of ", network_.inputs.size(), ", got ", input);
  const auto node = static_cast<size_t>(network_.inputs[static_cast<size_t>(input)]);
  const Value& value = network_.values[node];
  check(value.ids && value.width() == 1 && value.vocabulary > 0,
        "input: expected ids, one per row, "
        "got ",
        network_.names[node]);
  check(n_starts == 1 || n_starts == value.vocabulary + 1, "indptr: expected ",
        value.vocabulary + 1, " numbers, got ", n_starts);
  for (int64_t i = 1; i < n_starts; ++i)
    check(starts[i - 1] <= starts[i], "indptr: expected rising positions, got ", starts[i]);
  const std::unique_lock<std::shared_mutex> lock(mutex());
  known_.input = n_starts > 1 ? static_cast<int>(input) : -1;
  known_.starts.assign(starts, starts + n_starts);
  known_.classes.assign(classes, classes + starts[n_starts - 1]);
}

template <class T>
void Engine<T>::check_compiled() const {
  check(compiled_, "model: expected compile() before this call, got a model without a loss");
}

template <class T>
void Engine<T>::check_ids(const Examples<T>& examples) const {
  for (size_t i = 0; i < network_.inputs.size(); ++i) {
    const auto node = static_cast<size_t>(network_.inputs[i]);
    if (!network_.values[node].ids) continue;
    int64_t bound = network_.values[node].vocabulary;
    for (const auto& layer : network_.layers) {
      const TableUse* use = layer == nullptr ? nullptr : layer->table();
      if (use == nullptr || use->ids_node != network_.inputs[i]) continue;
      const int64_t rows = layer->table_parameter()->shape[0];
      bound = bound == 0 ? rows : std::min(bound, rows);
    }
    if (bound == 0) continue;
    const int64_t width = network_.values[node].width();
    check_bounds(static_cast<const int32_t*>(examples.inputs[i]), examples.n * width, width, bound,
                 network_.names[node]);
  }
}

template <class T>
void Engine<T>::check_labels(const Examples<T>& examples) const {
  for (size_t h = 0; h < heads_.size(); ++h) {
    if (!heads_[h].labels) continue;
    check_bounds(static_cast<const int32_t*>(examples.targets[h]), examples.n, 1, heads_[h].n, "y");
  }
}

template <class T>
Report Engine<T>::train(const Examples<T>& examples, const Run& run) {
  check_compiled();
  check(examples.n >= 1, "x: expected at least one row, got none");
  check(examples.n < (int64_t{1} << 31), "x: expected fewer than 2**31 rows, got ", examples.n);
  check(run.batch_size >= 1, "batch_size: expected at least 1, got ", run.batch_size);
  check(run.epoch >= 0 && run.epoch < (int64_t{1} << 32),
        "epoch: expected a number in [0, 2**32), got ", run.epoch);
  Run own = run;
  own.batch_size = std::min(run.batch_size, examples.n);
  const int64_t steps = (examples.n + own.batch_size - 1) / own.batch_size;
  check(run.first_step >= 0 && run.first_step + static_cast<int64_t>(run.rates.size()) <= steps,
        "rates: expected steps within the ", steps, " of an epoch, got ", run.rates.size(),
        " from step ", run.first_step);
  for (double rate : run.rates) {
    check(std::isfinite(rate) && rate >= 0, "learning_rate: expected a number of at least 0, got ",
          rate);
  }
  check_ids(examples);
  check_labels(examples);
  const std::unique_lock<std::shared_mutex> lock(mutex());
  if (trainer_ == nullptr || trainer_->batch_size() != own.batch_size) {
    trainer_.reset();
    trainer_ = std::make_unique<Trainer<T>>(network_, heads_, known_, optimizer_, own.batch_size,
                                            optimizer_.clips_norms());
  }
  folded_ = false;
  Report report = trainer_->run(examples, own, step_);
  for (const Parameter<T>* parameter : network_.parameters) parameter->flush();
  to_means(report);
  return report;
}

template <class T>
Report Engine<T>::evaluate(const Examples<T>& examples, int threads, const Ask& ask) {
  check_compiled();
  check(examples.n >= 1, "x: expected at least one row, got none");
  check_ids(examples);
  check_labels(examples);
  const std::shared_lock<std::shared_mutex> lock(mutex());
  fold();
  Report report = fastnn::evaluate(network_, workspaces_, heads_, known_, examples, threads, ask);
  to_means(report);
  return report;
}

template <class T>
bool Engine<T>::predict(const Examples<T>& examples, int threads, const std::vector<T*>& outputs,
                        bool finite, const Ask& ask) {
  check_ids(examples);
  const std::shared_lock<std::shared_mutex> lock(mutex());
  fold();
  return fastnn::predict(network_, workspaces_, examples, threads, outputs, finite, ask);
}

// l1 |w| + l2 w^2 summed; its gradient is added.
template <class T>
double Engine<T>::penalty(const Parameter<T>& parameter, T* gradient) const {
  double sum = 0;
  for_elements(parameter, [&](int64_t i, double value) {
    sum += parameter.l1 * std::abs(value) + parameter.l2 * value * value;
    gradient[i] +=
        static_cast<T>(parameter.l1 * ((value > 0) - (value < 0)) + 2 * parameter.l2 * value);
  });
  return sum;
}

template <class T>
double Engine<T>::gradients(const Examples<T>& examples,
                            std::map<std::string, std::vector<T>>& gradients) {
  check_compiled();
  check(examples.n >= 1, "x: expected at least one row, got none");
  check_ids(examples);
  check_labels(examples);
  const std::unique_lock<std::shared_mutex> lock(mutex());
  Trainer<T> trainer(network_, heads_, known_, optimizer_, examples.n, true);
  double loss = trainer.gradients(examples);
  for (Parameter<T>* parameter : network_.parameters) {
    if (!parameter->trainable) continue;
    loss += penalty(*parameter, parameter->gradient.data());
    const T* gradient = parameter->gradient.data();
    gradients[parameter->name].assign(gradient, gradient + parameter->size());
    parameter->gradient.reset(0);
  }
  trainer_.reset();  // its gradient memory is gone
  return loss;
}

template class Engine<float>;
template class Engine<double>;

}  // namespace fastnn
