#include "nn/loss.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "kernels/losses.h"

namespace fastnn {
namespace {

int find(const std::vector<std::string>& names, const std::string& wanted, const char* argument,
         const std::vector<std::string>& others = {}) {
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == wanted) return static_cast<int>(i);
    list += (i > 0 ? ", " : "") + names[i];
  }
  for (const std::string& other : others) list += ", " + other;
  check(false, argument, ": expected one of ", list, ", got ", wanted);
  return 0;
}

// The node whose value are the logits of an output that ends in `activation`.
template <class T>
int logits_of(const Network<T>& network, int output, const std::string& activation,
              const std::string& loss) {
  const auto at = static_cast<size_t>(output);
  const Layer<T>* layer = network.layers[at].get();
  const std::string last = layer == nullptr ? "" : layer->function();
  check(last == activation, "loss: expected output ", network.names[at], " to end in ", activation,
        " for ", loss, ", or from_logits=True, got ", last.empty() ? "another end" : last);
  return layer->sources[0];
}

// A loss that samples reads what the scores would read.
template <class T>
Head<T> plan_sampled_head(const Network<T>& network, int output, const Spec& spec) {
  const auto at = static_cast<size_t>(output);
  const std::string& name = network.names[at];
  Head<T> head{};
  head.output = output;
  head.scores = as_scores(network.layers[at].get());
  check(head.scores != nullptr, "loss: expected output ", name, " to be a Scores layer for ",
        spec.kind, ", got another end");
  const std::vector<int>& users = network.consumers[at];
  const auto times = std::count(network.outputs.begin(), network.outputs.end(), output);
  check(users.empty() && times == 1, "loss: expected output ", name, " to be read by ", spec.kind,
        " alone, got ",
        users.empty() ? "another loss" : network.names[static_cast<size_t>(users[0])],
        " beside it");
  head.node = head.scores->sources[0];
  head.n = head.scores->output.width();
  head.labels = true;
  head.sampled = plan_sampled(spec);
  return head;
}

template <class T>
Head<T> plan_head(const Network<T>& network, int output, const Spec& spec) {
  const std::vector<std::string> sampled = sampled_loss_names();
  if (std::find(sampled.begin(), sampled.end(), spec.kind) != sampled.end())
    return plan_sampled_head(network, output, spec);
  Head<T> head{};
  head.output = head.node = output;
  head.kind = static_cast<Loss>(find(loss_names(), spec.kind, "loss", sampled));
  head.delta = static_cast<T>(spec.config.number("delta", 1));
  check(head.delta > 0 && std::isfinite(static_cast<double>(head.delta)),
        "delta: expected a number above 0, got ", static_cast<double>(head.delta));
  const bool from_logits = spec.config.number("from_logits", 0) != 0;
  head.labels = head.kind == Loss::kCategoricalCrossentropy;
  head.logits = head.labels || head.kind == Loss::kBinaryCrossentropy;
  if (head.logits && !from_logits) {
    head.node = logits_of(network, output, head.labels ? "softmax" : "sigmoid", spec.kind);
  }
  const Shape& shape = network.values[static_cast<size_t>(output)].shape;
  check(!head.labels || shape.size() == 1, "loss: expected output ",
        network.names[static_cast<size_t>(output)], " of shape (classes,) for ", spec.kind,
        ", got shape ", to_string(shape));
  head.n = size_of(shape);
  return head;
}

}  // namespace

std::vector<std::string> loss_names() {
  const auto& names = baseline::Losses::names;
  return {std::begin(names), std::end(names)};
}

std::vector<std::string> metric_names() {
  return {"accuracy", "mean_squared_error", "mean_absolute_error"};
}

template <class T>
bool Head<T>::activation_idle(const Network<T>& network) const {
  if (scores != nullptr) return true;
  if (node == output || !network.consumers[static_cast<size_t>(output)].empty()) return false;
  for (Metric metric : metrics) {
    if (metric != Metric::kAccuracy) return false;
  }
  return true;
}

template <class T>
std::vector<Head<T>> plan_heads(const Network<T>& network, const std::vector<Spec>& losses,
                                const std::vector<double>& weights,
                                const std::vector<std::vector<std::string>>& metrics) {
  const size_t n = network.outputs.size();
  check(losses.size() == n, "loss: expected one per output (", n, "), got ", losses.size());
  check(weights.size() == n, "loss_weights: expected one per output (", n, "), got ",
        weights.size());
  check(metrics.size() == n, "metrics: expected one list per output (", n, "), got ",
        metrics.size());
  std::vector<Head<T>> heads;
  for (size_t i = 0; i < n; ++i) {
    heads.push_back(plan_head(network, network.outputs[i], losses[i]));
    check(std::isfinite(weights[i]), "loss_weights: expected finite numbers, got ", weights[i]);
    heads.back().weight = weights[i];
    for (const std::string& name : metrics[i]) {
      check(heads.back().scores == nullptr, "metrics: expected none for ", losses[i].kind, ", got ",
            name);
      const auto metric = static_cast<Metric>(find(metric_names(), name, "metrics"));
      check(metric == Metric::kAccuracy || !heads.back().labels,
            "metrics: expected accuracy for integer classes, got ", name);
      heads.back().metrics.push_back(metric);
    }
  }
  return heads;
}

template <class T>
void run_loss(const Head<T>& head, const Kernels<T>& kernels, int64_t count, const T* values,
              const Target<T>& target, const T* weights, T scale, T* losses, T* gradient) {
  const T factor = scale * static_cast<T>(head.weight);
  if (head.labels) {
    kernels.loss_labels(count, head.n, values, target.labels, weights, factor, losses, gradient);
  } else {
    kernels.loss(head.kind, count, head.n, values, target.numbers, weights, factor, head.delta,
                 losses, gradient);
  }
}

template <class T>
void run_metric(const Head<T>& head, Metric metric, const Kernels<T>& kernels, int64_t count,
                const Memory<T>& memory, int64_t first, const Target<T>& target, const T* weights,
                T* out) {
  // Accuracy may read logits: the largest is the largest probability, and 0 is one half.
  const bool logits = metric == Metric::kAccuracy && head.logits;
  const T* z =
      memory.values[static_cast<size_t>(logits ? head.node : head.output)] + first * head.n;
  if (metric == Metric::kMeanSquaredError) {
    kernels.metric_squared(count, head.n, z, target.numbers, weights, out);
  } else if (metric == Metric::kMeanAbsoluteError) {
    kernels.metric_absolute(count, head.n, z, target.numbers, weights, out);
  } else if (head.labels) {
    kernels.metric_labels(count, head.n, z, target.labels, weights, out);
  } else {
    const T threshold = logits ? T{0} : static_cast<T>(0.5);
    kernels.metric_binary(count, head.n, z, target.numbers, weights, threshold, out);
  }
}

#define FASTNN_INSTANTIATE(T)                                                                    \
  template struct Head<T>;                                                                       \
  template std::vector<Head<T>> plan_heads(const Network<T>&, const std::vector<Spec>&,          \
                                           const std::vector<double>&,                           \
                                           const std::vector<std::vector<std::string>>&);        \
  template void run_loss(const Head<T>&, const Kernels<T>&, int64_t, const T*, const Target<T>&, \
                         const T*, T, T*, T*);                                                   \
  template void run_metric(const Head<T>&, Metric, const Kernels<T>&, int64_t, const Memory<T>&, \
                           int64_t, const Target<T>&, const T*, T*);
FASTNN_INSTANTIATE(float)
FASTNN_INSTANTIATE(double)
#undef FASTNN_INSTANTIATE

}  // namespace fastnn
