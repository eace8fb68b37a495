#include "nn/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fastnn {
namespace {

constexpr int64_t kBlockRows = 64;  // rows whose logits stay in a cache
constexpr int64_t kLine = 16;       // elements that begin on a cache line in either type
constexpr uint32_t kFull = 0xFFFFFFFFU;
constexpr uint32_t kSharedStream = 1;  // beside the stream of the node, for what rows share

int64_t to_line(int64_t elements) { return (elements + kLine - 1) / kLine * kLine; }

Draw draw_of(const Spec& spec, bool shared) {
  const std::string name = spec.config.word("sampler", shared ? "log_uniform" : "uniform");
  const char* allowed =
      shared ? "uniform, log_uniform, unigram, in_batch" : "uniform, log_uniform, unigram";
  if (name == "uniform") return Draw::kUniform;
  if (name == "log_uniform") return Draw::kLogUniform;
  if (name == "unigram") return Draw::kUnigram;
  check(name == "in_batch" && shared, "sampler: expected one of ", allowed, ", got ", name);
  return Draw::kInBatch;
}

double up_to(double most, const Spec& spec, const char* name, double otherwise) {
  const double value = spec.config.number(name, otherwise);
  check(value >= 0 && value <= most, name, ": expected a number in [0, ", most, "], got ", value);
  return value;
}

int bits_of(int64_t n) {
  int bits = 0;
  while ((n >> bits) > 0) ++bits;
  return bits;
}

constexpr int64_t kSoon = 8;  // rows between a prefetch and its use

// Whether the sorted numbers from .. to hold one; without branches that nobody foresees.
bool holds(const int32_t* from, const int32_t* to, int32_t wanted) {
  auto n = to - from;
  if (n == 0) return false;
  while (n > 1) {
    const auto half = n / 2;
    from += from[half] <= wanted ? half : 0;
    n -= half;
  }
  return *from == wanted;
}

}  // namespace

std::vector<std::string> sampled_loss_names() {
  return {"sampled_softmax", "bpr", "warp", "sampled_logistic"};
}

SampledPlan plan_sampled(const Spec& spec) {
  const auto names = sampled_loss_names();
  const auto kind = std::find(names.begin(), names.end(), spec.kind) - names.begin();
  constexpr double kNegatives[] = {1024, 1, 10, 8};
  SampledPlan plan;
  plan.shared = kind == 0;
  plan.ranking = static_cast<Ranking>(std::max<std::ptrdiff_t>(kind - 1, 0));
  const double negatives = spec.config.number("negatives", kNegatives[kind]);
  check(negatives >= 1 && negatives <= 16777216 && negatives == std::floor(negatives),
        "negatives: expected a whole number in [1, 2**24], got ", negatives);
  plan.negatives = static_cast<int64_t>(negatives);
  plan.draw = draw_of(spec, plan.shared);
  plan.power = up_to(10, spec, "power", 0.75);
  plan.margin = up_to(1e30, spec, "margin", 1);
  plan.correction = spec.config.number("correction", 1) != 0;
  plan.remove_hits = spec.config.number("remove_hits", 1) != 0;
  return plan;
}

template <class T>
Sampler<T>::Sampler(const Scores<T>& scores, const SampledPlan& plan, const Known* known,
                    int64_t rows, bool together)
    : scores_(&scores), plan_(plan), known_(known), rows_(rows), together_(together) {
  const Classes<T> classes = scores.classes();
  units_ = classes.units;
  d_ = classes.d;
}

// --- the table of draws --------------------------------------------------------------------------

template <class T>
void Sampler<T>::start(const int32_t* labels, int64_t n) {
  if (plan_.draw == Draw::kUniform) return;
  std::vector<double> weights(static_cast<size_t>(units_));
  if (plan_.draw == Draw::kLogUniform) {
    if (alias_.size() > 0) return;
    for (int64_t i = 0; i < units_; ++i)
      weights[static_cast<size_t>(i)] = std::log1p(1 / (1.0 + static_cast<double>(i)));
  } else {
    std::vector<int64_t> counts(static_cast<size_t>(units_));
    for (int64_t i = 0; i < n; ++i) ++counts[static_cast<size_t>(labels[i])];
    if (counts == counts_) return;
    counts_ = std::move(counts);
    const bool plain = plan_.draw == Draw::kInBatch;
    for (size_t i = 0; i < weights.size(); ++i) {
      const auto count = static_cast<double>(counts_[i]);
      weights[i] = plain ? count : std::pow(count, plan_.power);
    }
  }
  if (!in_batch()) make_alias(weights);
  if (!plan_.shared || !plan_.correction) return;
  double total = 0;
  for (double weight : weights) total += weight;
  log_q_.resize(weights.size());
  for (size_t i = 0; i < weights.size(); ++i)
    log_q_[i] = weights[i] > 0 ? std::log(weights[i] / total) : 0;
}

// Vose, "A linear algorithm for generating random numbers with a given distribution", 1991, in
// whole numbers, so that every engine makes the same table (docs/design.md, section 4).
template <class T>
void Sampler<T>::make_alias(const std::vector<double>& weights) {
  const double largest = *std::max_element(weights.begin(), weights.end());
  const double scale = std::ldexp(1.0, 62 - bits_of(units_));
  std::vector<int64_t> left(weights.size()), small, large;
  int64_t mean = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    left[i] = static_cast<int64_t>(std::floor(weights[i] / largest * scale + 0.5));
    mean += left[i];
    left[i] *= units_;
  }
  alias_.reserve(2 * units_);
  uint32_t* alias = alias_.data();
  for (int64_t i = 0; i < units_; ++i) {
    alias[2 * i] = kFull;
    alias[2 * i + 1] = static_cast<uint32_t>(i);
    (left[static_cast<size_t>(i)] < mean ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const int64_t i = small.back(), j = large.back();
    small.pop_back();
    int64_t &from = left[static_cast<size_t>(j)], part = left[static_cast<size_t>(i)];
    const double share = static_cast<double>(part) / static_cast<double>(mean);
    alias[2 * i] = static_cast<uint32_t>(std::min(share * 4294967296.0, 4294967295.0));
    alias[2 * i + 1] = static_cast<uint32_t>(j);
    from -= mean - part;
    if (from < mean) {
      small.push_back(j);
      large.pop_back();
    }
  }
}

// --- draws ---------------------------------------------------------------------------------------

template <class T>
void Sampler<T>::draw(const Kernels<T>& kernels, const DrawRows& rows, int32_t* ids) const {
  const int64_t c = plan_.candidates();
  for (int64_t i = 0; i < rows.count; ++i) ids[i * c] = rows.labels[i];
  const NoiseKey key{rows.seed, rows.step, scores_->stream};
  kernels.draw_classes(key, rows.number, rows.count, c - 1, units_,
                       alias_.size() > 0 ? alias_.data() : nullptr, ids + 1, c);
  if (rows.known_ids == nullptr) return;
  const int32_t* known = known_->classes.data();
  for (int64_t i = 0; i < rows.count; ++i) {
    if (i + kSoon < rows.count) {
      const int64_t* soon = known_->starts.data() + rows.known_ids[i + kSoon];
      __builtin_prefetch(known + (soon[0] + soon[1]) / 2);
    }
    const auto id = static_cast<size_t>(rows.known_ids[i]);
    const int32_t *from = known + known_->starts[id], *to = known + known_->starts[id + 1];
    for (int64_t j = 1; j < c; ++j) {
      int32_t& drawn = ids[i * c + j];
      if (holds(from, to, drawn)) drawn = rows.labels[i];
    }
  }
}

template <class T>
Columns<T> Sampler<T>::make_columns() const {
  Columns<T> columns;
  if (!plan_.shared) return columns;
  columns.most = most_columns();
  columns.stride = to_line(columns.most) + kLine;
  columns.drawn.reset(columns.most);
  columns.order.reset(columns.most);
  columns.ids.reset(columns.most + 1);
  columns.starts.reset(columns.most + 1);
  columns.scratch.reset(kernels<T>().sort_scratch(columns.most, units_));
  columns.added.reset(columns.most);
  columns.vectors.reset(checked_multiply(columns.most, d_));
  return columns;
}

// Draws with replacement, sorted; one column for each class that was drawn.
template <class T>
void Sampler<T>::draw_columns(const Kernels<T>& kernels, const DrawRows& rows,
                              Columns<T>& columns) const {
  int64_t n = plan_.negatives;
  if (in_batch()) {
    n = rows.count;
    columns.draws = std::max<int64_t>(1, n - 1);
    std::copy_n(rows.labels, n, columns.drawn.data());
  } else {
    columns.draws = n;
    const NoiseKey key{rows.seed, rows.step, scores_->stream + kSharedStream};
    kernels.draw_classes(key, 0, 1, n, units_, alias_.size() > 0 ? alias_.data() : nullptr,
                         columns.drawn.data(), n);
  }
  columns.count =
      kernels.sort_ids(n, units_, columns.drawn.data(), columns.order.data(), columns.ids.data(),
                       columns.starts.data(), columns.scratch.data());
}

template <class T>
void Sampler<T>::gather_columns(const Kernels<T>& kernels, int part, int parts,
                                Columns<T>& columns) const {
  const Classes<T> classes = scores_->classes();
  const int64_t begin = columns.count * part / parts, end = columns.count * (part + 1) / parts;
  const int32_t *ids = columns.ids.data(), *starts = columns.starts.data();
  kernels.class_rows(end - begin, classes, ids + begin, columns.vectors.data() + begin * d_);
  const auto draws = static_cast<double>(columns.draws);
  for (int64_t j = begin; j < end; ++j) {
    double added = std::log(static_cast<double>(starts[j + 1] - starts[j]));
    if (plan_.correction) {
      const double log_q = log_q_.empty() ? -std::log(static_cast<double>(units_))
                                          : log_q_[static_cast<size_t>(ids[j])];
      added -= std::log(draws) + log_q;
    }
    const T bias = classes.bias != nullptr ? classes.bias[ids[j]] : T{0};
    columns.added.data()[j] = static_cast<T>(added) + bias;
  }
}

// --- losses --------------------------------------------------------------------------------------

template <class T>
int64_t Sampler<T>::scratch() const {
  if (!plan_.shared) return checked_multiply(plan_.candidates(), d_ + 1);
  return to_line(kBlockRows * d_) + kernels<T>().dense_scratch(kBlockRows, most_columns(), d_);
}

template <class T>
void Sampler<T>::run(const Kernels<T>& kernels, const DrawRows& at, const Columns<T>& columns,
                     const SampledRows<T>& rows) const {
  if (plan_.shared) return run_shared(kernels, at, columns, rows);
  kernels.ranking(
      plan_.ranking, scores_->classes(),
      {at.count, plan_.candidates(), rows.u, rows.ids, static_cast<T>(plan_.margin), rows.weights,
       rows.scale, rows.losses, rows.ds, rows.used, rows.du, rows.scratch});
}

// Columns that count for nothing in a row get a logit of -inf.
template <class T>
void Sampler<T>::mask(const Columns<T>& columns, int32_t label, const int32_t* known_id,
                      T* z) const {
  const int32_t *ids = columns.ids.data(), *end = ids + columns.count;
  const auto take_out = [&](int32_t id) {
    const int32_t* found = std::lower_bound(ids, end, id);
    if (found != end && *found == id) z[found - ids] = -std::numeric_limits<T>::infinity();
  };
  if (plan_.remove_hits) take_out(label);
  if (known_id == nullptr) return;
  const int64_t* starts = known_->starts.data() + *known_id;
  for (int64_t i = starts[0]; i < starts[1]; ++i) take_out(known_->classes[static_cast<size_t>(i)]);
}

template <class T>
void Sampler<T>::run_shared(const Kernels<T>& kernels, const DrawRows& at,
                            const Columns<T>& columns, const SampledRows<T>& rows) const {
  const Classes<T> classes = scores_->classes();
  const int64_t n = columns.count, stride = columns.stride;
  T *own = rows.scratch, *scratch = own + to_line(kBlockRows * d_);
  for (int64_t first = 0; first < at.count; first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, at.count - first);
    const T* u = rows.u + first * d_;
    const int32_t* labels = at.labels + first;
    T *z = rows.z + first * stride, *label = rows.ds + first;
    kernels.class_rows(count, classes, labels, own);
    kernels.dot_forward(count, d_, u, own, label);
    kernels.dense_backward_inputs(count, n, d_, u, d_, columns.vectors.data(), z, stride, scratch);
    for (int64_t i = 0; i < count; ++i) {
      if (classes.bias != nullptr) label[i] += classes.bias[labels[i]];
      mask(columns, labels[i], at.known_ids != nullptr ? at.known_ids + first + i : nullptr,
           z + i * stride);
    }
    kernels.sampled_softmax(count, n, z, stride, columns.added.data(), label,
                            rows.weights != nullptr ? rows.weights + first : nullptr, rows.scale,
                            rows.losses + first);
    if (rows.du == nullptr) continue;
    T* du = rows.du + first * d_;
    kernels.dense_forward(count, n, d_, z, stride, columns.vectors.data(), nullptr, du, d_,
                          Activation::kIdentity);
    kernels.add_scaled_rows(count, d_, label, own, du);
  }
}

template class Sampler<float>;
template class Sampler<double>;

}  // namespace fastnn
