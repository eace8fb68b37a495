#include "nn/sampled.h"

#include <algorithm>

namespace fastnn {
namespace {

constexpr int64_t kBlockColumns = 64;  // whose gradients are summed at once, whoever does it

}  // namespace

void gather_ids(const int32_t* ids, const int32_t* rows, int64_t count, int64_t width,
                int32_t* to) {
  if (rows == nullptr) {
    std::copy_n(ids, count * width, to);
  } else if (width == 1) {
    for (int64_t i = 0; i < count; ++i) to[i] = ids[rows[i]];
  } else {
    for (int64_t i = 0; i < count; ++i) std::copy_n(ids + rows[i] * width, width, to + i * width);
  }
}

template <class T>
Sampled<T>::Sampled(const Scores<T>& scores, const SampledPlan& plan, const Known* known,
                    int64_t rows)
    : sampler_(scores, plan, known, rows, true), columns_(sampler_.make_columns()), rows_(rows) {
  const Classes<T> classes = scores.classes();
  d_ = classes.d;
  slots_ = classes.slots;
  k_ = plan.used();
  if (!plan.shared) ids_.reset(checked_multiply(rows, plan.candidates()));
  if (plan.warp()) used_.reset(checked_multiply(rows, 2));
  labels_.reset(rows);
  known_ids_.reset(rows);
  ds_.reset(most_lookups());
  feature_ds_.reset(checked_multiply(most_lookups(), slots_));
  if (!plan.shared) return;
  bias_ds_.reset(most_lookups());
  sources_.reset(checked_multiply(most_lookups(), d_));
  z_.reset(checked_multiply(rows, columns_.stride));
}

template <class T>
int64_t Sampled<T>::most_lookups() const {
  return checked_add(checked_multiply(rows_, k_), columns_.most);
}

template <class T>
double Sampled<T>::work() const {
  const auto width = static_cast<double>(d_);
  const auto candidates = static_cast<double>(sampler_.plan().candidates());
  const double looked_up = kWorkPerElement * width * candidates;
  return looked_up + (shared() ? 6.0 * width * static_cast<double>(columns_.most) : 0.0);
}

// Labels and ids of a batch's rows, or of a part of one from its row `number`, gathered.
template <class T>
DrawRows Sampled<T>::gather_rows(const SampledBatch& batch, int64_t number) {
  const int64_t base = batch.rows != nullptr ? 0 : batch.first;
  int32_t *labels = labels_.data() + number, *known_ids = nullptr;
  gather_ids(batch.labels + base, batch.rows, batch.count, 1, labels);
  if (batch.known_ids != nullptr) {
    known_ids = known_ids_.data() + number;
    gather_ids(batch.known_ids + base, batch.rows, batch.count, 1, known_ids);
  }
  return {batch.seed, batch.step, number, batch.count, labels, known_ids};
}

template <class T>
void Sampled<T>::draw(const Kernels<T>& kernels, const SampledBatch& batch) {
  sampler_.draw_columns(kernels, gather_rows(batch, 0), columns_);
}

template <class T>
void Sampled<T>::draw_part(const Kernels<T>& kernels, const SampledBatch& batch, int part,
                           int parts) {
  const int64_t begin = batch.count * part / parts, end = batch.count * (part + 1) / parts;
  SampledBatch own = batch;
  own.first += begin;
  own.rows += own.rows != nullptr ? begin : 0;
  own.count = end - begin;
  sampler_.draw(kernels, gather_rows(own, begin),
                ids_.data() + begin * sampler_.plan().candidates());
}

template <class T>
void Sampled<T>::start(const int32_t* labels, int64_t n) {
  sampler_.start(labels, n);
}

template <class T>
void Sampled<T>::gather(const Kernels<T>& kernels, int part, int parts) {
  sampler_.gather_columns(kernels, part, parts, columns_);
}

template <class T>
void Sampled<T>::run(const Kernels<T>& kernels, const DrawRows& at, SampledRows<T> rows) {
  const int64_t first = at.number, candidates = sampler_.plan().candidates();
  if (!shared()) rows.ids = ids_.data() + first * candidates;
  if (listed_late()) rows.used = used_.data() + 2 * first;
  rows.ds = ds_.data() + first * k_;
  if (shared()) {
    rows.z = z_.data() + first * columns_.stride;
    std::copy_n(rows.u, at.count * d_, sources_.data() + first * d_);
  }
  if (!shared() && !draws_early()) sampler_.draw(kernels, at, rows.ids);
  sampler_.run(kernels, at, columns_, rows);
  if (shared()) std::copy_n(rows.ds, at.count, bias_ds_.data() + first);
  if (slots_ == 0) return;
  const int32_t* classes = shared() ? at.labels : listed_late() ? rows.used : rows.ids;
  kernels.feature_coefficients(at.count * k_, scores().classes(), classes, rows.ds,
                               feature_ds_.data() + first * k_ * slots_);
}

template <class T>
void Sampled<T>::finish(const Kernels<T>& kernels, const T* u, int64_t count, int part, int parts) {
  if (!shared()) return;
  const int64_t n = columns_.count, stride = columns_.stride;
  const int64_t blocks = (n + kBlockColumns - 1) / kBlockColumns;
  for (int64_t block = blocks * part / parts; block < blocks * (part + 1) / parts; ++block) {
    const int64_t begin = block * kBlockColumns, end = std::min(n, begin + kBlockColumns);
    const int64_t at = count + begin;
    kernels.dense_backward_weights(count, begin, end, d_, z_.data(), stride, u, d_,
                                   sources_.data() + at * d_);
    kernels.column_sums(count, end - begin, z_.data() + begin, stride, bias_ds_.data() + at);
    std::fill_n(ds_.data() + at, end - begin, T{1});
    if (slots_ == 0) continue;
    kernels.feature_coefficients(end - begin, scores().classes(), columns_.ids.data() + begin,
                                 ds_.data() + at, feature_ds_.data() + at * slots_);
  }
}

// --- lookups -------------------------------------------------------------------------------------

template <class T>
int64_t Sampled<T>::list(const Kernels<T>& kernels, const SampledBatch& batch, int32_t* ids) {
  if (listed_late()) {
    std::copy_n(used_.data(), 2 * batch.count, ids);
  } else if (shared()) {
    std::copy_n(labels_.data(), batch.count, ids);
    std::copy_n(columns_.ids.data(), columns_.count, ids + batch.count);
  } else {
    if (batch.alone) draw_part(kernels, batch, 0, 1);
    std::copy_n(ids_.data(), batch.count * k_, ids);
  }
  return batch.count * k_ + (shared() ? columns_.count : 0);
}

template <class T>
int64_t Sampled<T>::list_features(const int32_t* classes, int64_t count, int32_t* ids,
                                  int32_t* positions) const {
  const int32_t* features = scores().classes().features;
  int64_t found = 0;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t s = 0; s < slots_; ++s) {
      const int32_t feature = features[classes[i] * slots_ + s];
      if (feature < 0) continue;
      ids[found] = feature;
      positions[found++] = static_cast<int32_t>(i * slots_ + s);
    }
  }
  return found;
}

template <class T>
Lookups<T> Sampled<T>::vector_lookups(const T* u) const {
  return {ds_.data(), shared() ? sources_.data() : u, k_};
}

template <class T>
Lookups<T> Sampled<T>::bias_lookups() const {
  return {shared() ? bias_ds_.data() : ds_.data(), nullptr, 1};
}

template <class T>
Lookups<T> Sampled<T>::feature_lookups(const T* u) const {
  return {feature_ds_.data(), shared() ? sources_.data() : u, k_ * slots_};
}

template class Sampled<float>;
template class Sampled<double>;

}  // namespace fastnn
