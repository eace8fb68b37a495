// Heads: a loss and its metrics on one output, computed row by row.
#pragma once

#include <string>
#include <vector>

#include "nn/network.h"
#include "nn/sampler.h"

namespace fastnn {

enum class Metric { kAccuracy, kMeanSquaredError, kMeanAbsoluteError };

std::vector<std::string> loss_names();    // in the order of enum Loss
std::vector<std::string> metric_names();  // in the order of enum Metric

template <class T>
struct Head {
  int output;  // node
  int node;    // whose value the loss reads: the output, or the logits before it
  Loss kind;
  T delta;        // huber's
  double weight;  // of this loss in the sum
  int64_t n;      // outputs per row
  bool labels;    // targets are int32 classes, else n numbers a row
  bool logits;    // node holds logits
  std::vector<Metric> metrics;
  SampledPlan sampled;  // of a loss that samples: `node` is what the scores would read
  const Scores<T>* scores = nullptr;  // the output, which training then never computes

  bool activation_idle(const Network<T>& network) const;
};

// One head per output; refuses losses, metrics and outputs that do not go together.
template <class T>
std::vector<Head<T>> plan_heads(const Network<T>& network, const std::vector<Spec>& losses,
                                const std::vector<double>& weights,
                                const std::vector<std::vector<std::string>>& metrics);

// Targets of rows that lie one after the other.
template <class T>
struct Target {
  const T* numbers = nullptr;
  const int32_t* labels = nullptr;
};

// losses[count] = weight * loss; gradient (may be null) likewise, times scale * head.weight.
template <class T>
void run_loss(const Head<T>& head, const Kernels<T>& kernels, int64_t count, const T* values,
              const Target<T>& target, const T* weights, T scale, T* losses, T* gradient);

// out[count] = weight * metric. values are those of the output node.
template <class T>
void run_metric(const Head<T>& head, Metric metric, const Kernels<T>& kernels, int64_t count,
                const Memory<T>& memory, int64_t first, const Target<T>& target, const T* weights,
                T* out);

}  // namespace fastnn
