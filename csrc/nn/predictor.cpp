#include "nn/predictor.h"

#include <algorithm>
#include <cmath>

namespace fastnn {
namespace {

constexpr int64_t kChunk = 64;           // rows carried through the net at once
constexpr double kWorkPerThread = 2e6;   // operations a call needs before a second thread pays

// One thread's place to work in.
template <class T>
struct Workspace {
  Workspace(const Network<T>& network, int64_t rows)
      : arena(network, rows, {}), scratch(network.scratch(rows)) {}
  Arena<T> arena;
  Buffer<T> scratch;
};

// Calls body(workspace, first, count) for every chunk of n rows, inputs set.
template <class T, class Body>
void for_chunks(const Network<T>& network, const Examples<T>& examples, int threads, Body body) {
  const int64_t n = examples.n;
  const int64_t chunks = (n + kChunk - 1) / kChunk;
  if (threads <= 0) threads = default_threads();
  const auto useful = static_cast<int>(network.work() / 3 * static_cast<double>(n) / kWorkPerThread);
  threads = static_cast<int>(std::max<int64_t>(1, std::min<int64_t>({threads, useful, chunks})));
  std::atomic<int64_t> next{0};
  std::vector<std::unique_ptr<Workspace<T>>> spaces;
  for (int t = 0; t < threads; ++t) {
    spaces.push_back(std::make_unique<Workspace<T>>(network, std::min(n, kChunk)));
  }
  parallel(threads, [&](const Team& team) {
    Workspace<T>& space = *spaces[static_cast<size_t>(team.member)];
    for (int64_t chunk = next.fetch_add(1); chunk < chunks; chunk = next.fetch_add(1)) {
      const int64_t first = chunk * kChunk;
      for (size_t i = 0; i < network.inputs.size(); ++i) {
        const Value& value = network.values[static_cast<size_t>(network.inputs[i])];
        const int64_t offset = first * value.width();
        space.arena.set_input(
            network.inputs[i],
            value.ids ? static_cast<const void*>(static_cast<const int32_t*>(examples.inputs[i]) + offset)
                      : static_cast<const void*>(static_cast<const T*>(examples.inputs[i]) + offset),
            value.ids);
      }
      body(space, first, std::min(kChunk, n - first));
    }
  });
}

template <class T>
Pass<T> inference_pass(Workspace<T>& space) {
  Pass<T> pass{kernels<T>()};
  pass.scratch = space.scratch.data();
  return pass;
}

}  // namespace

template <class T>
void predict(const Network<T>& network, const Examples<T>& examples, int threads,
             const std::vector<T*>& outputs) {
  const std::vector<bool> idle(network.layers.size(), false);
  for_chunks(network, examples, threads, [&](Workspace<T>& space, int64_t first, int64_t count) {
    network.forward(space.arena.memory, inference_pass(space), 0, count, idle);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto node = static_cast<size_t>(network.outputs[i]);
      const int64_t width = network.values[node].width();
      std::copy_n(space.arena.memory.values[node], count * width, outputs[i] + first * width);
    }
  });
}

template <class T>
Report evaluate(const Network<T>& network, const std::vector<Head<T>>& heads,
                const Examples<T>& examples, int threads) {
  size_t n_metrics = 0;
  std::vector<bool> idle(network.layers.size(), false);
  for (const Head<T>& head : heads) {
    n_metrics += head.metrics.size();
    idle[static_cast<size_t>(head.output)] = head.activation_idle(network);
  }
  // Sums per chunk, added in the order of the chunks: losses, penalty, metrics.
  const size_t width = heads.size() + 1 + n_metrics;
  const auto chunks = static_cast<size_t>((examples.n + kChunk - 1) / kChunk);
  std::vector<double> sums(chunks * width);
  for_chunks(network, examples, threads, [&](Workspace<T>& space, int64_t first, int64_t count) {
    double* sum = sums.data() + static_cast<size_t>(first / kChunk) * width;
    T rows[kChunk], penalties[kChunk] = {};
    const T* weights = examples.weights == nullptr ? nullptr : examples.weights + first;
    Pass<T> pass = inference_pass(space);
    pass.penalties = penalties;
    pass.row_weights = weights;
    network.forward(space.arena.memory, pass, 0, count, idle);
    size_t at = 0;
    for (size_t h = 0; h < heads.size(); ++h) {
      const Head<T>& head = heads[h];
      Target<T> target;
      if (head.labels) {
        target.labels = static_cast<const int32_t*>(examples.targets[h]) + first;
      } else {
        target.numbers = static_cast<const T*>(examples.targets[h]) + first * head.n;
      }
      run_loss(head, pass.kernels, count, space.arena.memory.values[static_cast<size_t>(head.node)],
               target, weights, T{0}, rows, static_cast<T*>(nullptr));
      sum[h] = pass.kernels.sum(count, rows);
      for (Metric metric : head.metrics) {
        run_metric(head, metric, pass.kernels, count, space.arena.memory, 0, target, weights, rows);
        sum[heads.size() + 1 + at++] = pass.kernels.sum(count, rows);
      }
    }
    sum[heads.size()] = pass.kernels.sum(count, penalties);
  });
  Report report;
  report.losses.assign(heads.size(), 0);
  report.metrics.assign(n_metrics, 0);
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    const double* sum = sums.data() + chunk * width;
    for (size_t h = 0; h < heads.size(); ++h) {
      report.losses[h] += sum[h];
      report.loss += heads[h].weight * sum[h];
    }
    report.loss += sum[heads.size()];
    for (size_t i = 0; i < n_metrics; ++i) report.metrics[i] += sum[heads.size() + 1 + i];
  }
  report.weight = static_cast<double>(examples.n);
  if (examples.weights != nullptr) report.weight = kernels<T>().sum(examples.n, examples.weights);
  report.examples = examples.n;
  return report;
}

template void predict(const Network<float>&, const Examples<float>&, int,
                      const std::vector<float*>&);
template void predict(const Network<double>&, const Examples<double>&, int,
                      const std::vector<double*>&);
template Report evaluate(const Network<float>&, const std::vector<Head<float>>&,
                         const Examples<float>&, int);
template Report evaluate(const Network<double>&, const std::vector<Head<double>>&,
                         const Examples<double>&, int);

}  // namespace fastnn
