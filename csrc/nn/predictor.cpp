#include "nn/predictor.h"

#include <algorithm>
#include <cmath>

namespace fastnn {
namespace {

constexpr int64_t kMostChunk = 64;           // rows carried through the net at once
constexpr int64_t kChunkElements = 1 << 22;  // fewer when rows are so wide
constexpr double kWorkPerThread = 2e6;       // operations a call needs before a second thread pays

// Rows of a chunk: by the shape of the net alone, since sums are taken per chunk.
template <class T>
int64_t chunk_rows(const Network<T>& network) {
  return std::clamp(kChunkElements / network.row_elements(), int64_t{1}, kMostChunk);
}

// How many threads n rows are worth.
template <class T>
int choose_threads(const Network<T>& network, int64_t n, int most) {
  const double work = network.work() / 3 * static_cast<double>(n);
  const auto useful = static_cast<int>(std::min(work / kWorkPerThread, 1e6));
  if (useful <= 1) return 1;
  const int64_t chunk = chunk_rows(network), chunks = (n + chunk - 1) / chunk;
  if (most <= 0) most = default_threads();
  return static_cast<int>(std::min<int64_t>({most, useful, chunks}));
}

// The inputs of a chunk are read where they lie; bytes are converted.
template <class T>
void set_inputs(const Network<T>& network, const Examples<T>& examples, int64_t first,
                int64_t count, Arena<T>& arena) {
  for (size_t i = 0; i < network.inputs.size(); ++i) {
    const int node = network.inputs[i];
    const Value& value = network.values[static_cast<size_t>(node)];
    const int64_t width = value.width();
    if (examples.bytes[i]) {
      T* own = arena.own_input(node, width);
      const auto* bytes = static_cast<const uint8_t*>(examples.inputs[i]) + first * width;
      kernels<T>().gather_bytes(count, width, bytes, nullptr, own);
      arena.set_input(node, own, false);
      continue;
    }
    const int64_t size = static_cast<int64_t>(value.ids ? sizeof(int32_t) : sizeof(T));
    const auto* bytes = static_cast<const char*>(examples.inputs[i]);
    arena.set_input(node, bytes + first * width * size, value.ids);
  }
}

// Whether rows first .. first + count of the inputs are numbers that are finite.
template <class T>
bool inputs_finite(const Network<T>& network, const Examples<T>& examples, int64_t first,
                   int64_t count) {
  for (size_t i = 0; i < network.inputs.size(); ++i) {
    const Value& value = network.values[static_cast<size_t>(network.inputs[i])];
    if (value.ids || examples.bytes[i]) continue;
    const T* rows = static_cast<const T*>(examples.inputs[i]) + first * value.width();
    if (!std::isfinite(kernels<T>().sum_squares(count * value.width(), rows))) return false;
  }
  return true;
}

// Calls body(workspace, first, count) for every chunk of n rows, inputs set; false when stopped, by
// the caller or by a body that returns false.
template <class T, class Body>
bool for_chunks(const Network<T>& network, Workspaces<T>& workspaces, const Examples<T>& examples,
                int threads, const Ask& ask, Body body) {
  const int64_t n = examples.n, chunk = chunk_rows(network);
  std::atomic<int64_t> next{0};
  std::atomic<bool> stop{false};
  parallel(choose_threads(network, n, threads), [&](const Team& team) {
    std::unique_ptr<Workspace<T>> workspace = workspaces.take(network);
    Poll poll(ask);
    for (int64_t first = next.fetch_add(chunk); first < n; first = next.fetch_add(chunk)) {
      if (stop.load(std::memory_order_relaxed)) break;
      const int64_t count = std::min(chunk, n - first);
      set_inputs(network, examples, first, count, workspace->arena);
      if (!body(*workspace, first, count)) stop.store(true);
      if (team.member == 0 && poll.stop()) stop.store(true);
    }
    workspaces.give_back(std::move(workspace));
  });
  return !stop.load();
}

template <class T>
Pass<T> prediction_pass(Workspace<T>& workspace) {
  Pass<T> pass{kernels<T>()};
  pass.folded = true;
  pass.scratch = workspace.scratch.data();
  return pass;
}

// A head whose loss samples, each row by itself: what rows share is drawn once.
template <class T>
struct Alone {
  Alone(const Head<T>& head, const Known& known, const int32_t* labels, int64_t n)
      : sampler(*head.scores, head.sampled, &known, n, false), columns(sampler.make_columns()) {
    sampler.start(labels, n);
    if (!head.sampled.shared) return;
    sampler.draw_columns(kernels<T>(), {0, 0, 0, n, labels, nullptr}, columns);
    sampler.gather_columns(kernels<T>(), 0, 1, columns);
  }

  // losses[count] of rows `number` .. of the data set, whose values are u.
  void run(const DrawRows& at, const T* u, const T* weights, T* losses) const {
    const SampledPlan& plan = sampler.plan();
    Buffer<int32_t> ids(at.count * plan.candidates()), used(at.count * 2);
    Buffer<T> ds(at.count * plan.used()), z(at.count * columns.stride), scratch(sampler.scratch());
    SampledRows<T> rows{};
    rows.u = u;
    rows.weights = weights;
    rows.losses = losses;
    rows.ids = ids.data();
    rows.used = used.data();
    rows.ds = ds.data();
    rows.z = z.data();
    rows.scratch = scratch.data();
    if (!plan.shared) sampler.draw(kernels<T>(), at, ids.data());
    sampler.run(kernels<T>(), at, columns, rows);
  }

  Sampler<T> sampler;
  Columns<T> columns;
};

template <class T>
using Alones =
    std::vector<std::unique_ptr<Alone<T>>>;  // by head; null where a loss does not sample

template <class T>
Alones<T> plan_alone(const std::vector<Head<T>>& heads, const Known& known,
                     const Examples<T>& examples) {
  Alones<T> alones;
  for (size_t h = 0; h < heads.size(); ++h) {
    const auto* labels = static_cast<const int32_t*>(examples.targets[h]);
    alones.push_back(heads[h].scores == nullptr
                         ? nullptr
                         : std::make_unique<Alone<T>>(heads[h], known, labels, examples.n));
  }
  return alones;
}

// Sums over one chunk: the losses of the heads, the penalty, the metrics.
template <class T>
void sum_chunk(const Network<T>& network, const std::vector<Head<T>>& heads,
               const Alones<T>& alones, const Known& known, const std::vector<bool>& idle,
               const Examples<T>& examples, Workspace<T>& workspace, int64_t first, int64_t count,
               double* sum) {
  const Arena<T>& arena = workspace.arena;
  T rows[kMostChunk], penalties[kMostChunk] = {};
  const T* weights = examples.weights == nullptr ? nullptr : examples.weights + first;
  Pass<T> pass = prediction_pass(workspace);
  pass.penalties = penalties;
  pass.row_weights = weights;
  network.forward(arena.memory, pass, 0, count, idle);
  double* metrics = sum + heads.size() + 1;
  for (size_t h = 0; h < heads.size(); ++h) {
    const Head<T>& head = heads[h];
    if (alones[h] != nullptr) {
      const auto* labels = static_cast<const int32_t*>(examples.targets[h]) + first;
      const int32_t* ids =
          known.input < 0
              ? nullptr
              : static_cast<const int32_t*>(examples.inputs[static_cast<size_t>(known.input)]) +
                    first;
      alones[h]->run({0, 0, first, count, labels, ids},
                     arena.memory.values[static_cast<size_t>(head.node)], weights, rows);
      sum[h] = pass.kernels.sum(count, rows);
      continue;
    }
    Target<T> target;
    if (head.labels) {
      target.labels = static_cast<const int32_t*>(examples.targets[h]) + first;
    } else {
      target.numbers = static_cast<const T*>(examples.targets[h]) + first * head.n;
    }
    run_loss(head, pass.kernels, count, arena.memory.values[static_cast<size_t>(head.node)], target,
             weights, T{0}, rows, static_cast<T*>(nullptr));
    sum[h] = pass.kernels.sum(count, rows);
    for (Metric metric : head.metrics) {
      run_metric(head, metric, pass.kernels, count, arena.memory, 0, target, weights, rows);
      *metrics++ = pass.kernels.sum(count, rows);
    }
  }
  sum[heads.size()] = pass.kernels.sum(count, penalties);
}

}  // namespace

template <class T>
Workspace<T>::Workspace(const Network<T>& network)
    : arena(network, chunk_rows(network), {}), scratch(network.scratch(chunk_rows(network))) {}

template <class T>
std::unique_ptr<Workspace<T>> Workspaces<T>::take(const Network<T>& network) {
  for (auto& spare : spare_) {
    if (Workspace<T>* kept = spare.exchange(nullptr)) return std::unique_ptr<Workspace<T>>(kept);
  }
  return std::make_unique<Workspace<T>>(network);
}

template <class T>
void Workspaces<T>::give_back(std::unique_ptr<Workspace<T>> workspace) {
  for (auto& spare : spare_) {
    Workspace<T>* empty = nullptr;
    if (spare.compare_exchange_strong(empty, workspace.get())) return (void)workspace.release();
  }
}

template <class T>
Workspaces<T>::~Workspaces() {
  for (auto& spare : spare_) delete spare.load();
}

template <class T>
bool predict(const Network<T>& network, Workspaces<T>& workspaces, const Examples<T>& examples,
             int threads, const std::vector<T*>& outputs, bool finite, const Ask& ask) {
  const std::vector<bool> idle = network.folded();
  return for_chunks(network, workspaces, examples, threads, ask,
                    [&](Workspace<T>& workspace, int64_t first, int64_t count) {
                      if (finite && !inputs_finite(network, examples, first, count)) return false;
                      const Memory<T>& memory = workspace.arena.memory;
                      network.forward(memory, prediction_pass(workspace), 0, count, idle);
                      for (size_t i = 0; i < outputs.size(); ++i) {
                        const auto node = static_cast<size_t>(network.outputs[i]);
                        const int64_t width = network.values[node].width();
                        std::copy_n(memory.values[node], count * width, outputs[i] + first * width);
                      }
                      return true;
                    });
}

template <class T>
Report evaluate(const Network<T>& network, Workspaces<T>& workspaces,
                const std::vector<Head<T>>& heads, const Known& known, const Examples<T>& examples,
                int threads, const Ask& ask) {
  Report report;
  report.losses.assign(heads.size(), 0);
  const Alones<T> alones = plan_alone(heads, known, examples);
  std::vector<bool> idle = network.folded();
  size_t n_metrics = 0;
  for (const Head<T>& head : heads) {
    n_metrics += head.metrics.size();
    idle[static_cast<size_t>(head.output)] = head.activation_idle(network);
  }
  report.metrics.assign(n_metrics, 0);
  // Per chunk, and then added in the order of the chunks: losses, penalty, metrics.
  const size_t width = heads.size() + 1 + n_metrics;
  const int64_t chunk_size = chunk_rows(network);
  const auto chunks = static_cast<size_t>((examples.n + chunk_size - 1) / chunk_size);
  std::vector<double> sums(chunks * width);
  report.interrupted = !for_chunks(
      network, workspaces, examples, threads, ask,
      [&](Workspace<T>& workspace, int64_t first, int64_t count) {
        double* sum = sums.data() + static_cast<size_t>(first / chunk_size) * width;
        sum_chunk(network, heads, alones, known, idle, examples, workspace, first, count, sum);
        return true;
      });
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

#define FASTNN_INSTANTIATE(T)                                                              \
  template class Workspaces<T>;                                                            \
  template bool predict(const Network<T>&, Workspaces<T>&, const Examples<T>&, int,        \
                        const std::vector<T*>&, bool, const Ask&);                         \
  template Report evaluate(const Network<T>&, Workspaces<T>&, const std::vector<Head<T>>&, \
                           const Known&, const Examples<T>&, int, const Ask&);
FASTNN_INSTANTIATE(float)
FASTNN_INSTANTIATE(double)
#undef FASTNN_INSTANTIATE

}  // namespace fastnn
