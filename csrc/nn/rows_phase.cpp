// The rows phase of a step: blocks of rows, from the data set to their gradients.
#include <algorithm>

#include "nn/trainer.h"

namespace fastnn {

// Layers that mix rows cut the phase into stages: forward to the first such layer, between them,
// ... to the loss and back to the last one, ... back to the inputs. Between two stages all rows
// meet.
template <class T>
void Trainer<T>::rows_phase(const Team& team, const Examples<T>& examples, const Step& step,
                            uint64_t seed, bool training, Counters& counters) {
  Pass<T> pass{kernels_};
  pass.training = training;
  pass.statistics = true;
  pass.noise = {seed, static_cast<uint32_t>(step.number), 0};
  pass.scratch = scratch_[static_cast<size_t>(team.member)].data();
  pass.row_weights = examples.weights != nullptr ? row_weights_.data() : nullptr;
  pass.row_scale = step.weight > 0 ? static_cast<T>(1 / step.weight) : T{0};
  pass.penalties = row_penalties_.data();
  draw_rows(team, examples, step, seed);
  const bool prepared = prepares();
  if (prepared) prepare(team, examples, step, seed, counters.back());
  const size_t n = n_stages();
  for (size_t stage = 0; stage < n; ++stage) {
    const auto sorts =
        stage == 0 && !prepared ? static_cast<int64_t>(tables_.n_sorts()) : int64_t{0};
    const int64_t jobs = sorts + (step.count + chunk_ - 1) / chunk_;
    std::atomic<int64_t>& next = counters[stage];
    for (int64_t job = next.fetch_add(1); job < jobs; job = next.fetch_add(1)) {
      if (job < sorts) {
        sort(static_cast<size_t>(job), examples, step, seed);
        continue;
      }
      const int64_t first = (job - sorts) * chunk_;
      const int64_t count = std::min(chunk_, step.count - first);
      if (stage == 0) gather(examples, step, first, count);
      rows_job(stage, pass, first, count, step.count);
    }
    if (stage + 1 < n) meet(team, stage, pass, step.count);
  }
}

// Before the rows go through the net, where something needs it: ids are sorted and what all rows
// share is drawn; then each thread brings its part of the rows that the batch looks up to where
// they should be, and gathers its part of what is shared.
template <class T>
void Trainer<T>::prepare(const Team& team, const Examples<T>& examples, const Step& step,
                         uint64_t seed, std::atomic<int64_t>& next) {
  const auto sorts = static_cast<int64_t>(tables_.n_sorts());
  for (int64_t job = next.fetch_add(1); job < sorts; job = next.fetch_add(1)) {
    sort(static_cast<size_t>(job), examples, step, seed);
  }
  team.wait();
  tables_.prepare(kernels_, optimizer_, step.applied, step.weight > 0, team.member, team.size);
  for (const auto& sampled : sampled_)
    if (sampled != nullptr && sampled->shared()) sampled->gather(kernels_, team.member, team.size);
  team.wait();
}

template <class T>
void Trainer<T>::sort(size_t which, const Examples<T>& examples, const Step& step, uint64_t seed) {
  if (which < tables_.n_inputs()) {
    tables_.sort(which, kernels_, examples.inputs, step.rows, step.first, step.count);
  } else {
    sort_sampled(which - tables_.n_inputs(), examples, step, seed, false);
  }
}

// All rows have been collected: what the layer that ends a stage makes of them.
template <class T>
void Trainer<T>::meet(const Team& team, size_t stage, const Pass<T>& pass, int64_t count) {
  const bool forward = stage < mixers_.size();
  const size_t node = forward ? mixers_[stage] : mixers_back_[stage - mixers_.size()];
  const Layer<T>& layer = *network_.layers[node];
  const Rows<T> batch(layer, arena_->memory, pass, 0, count);
  team.wait();
  if (forward) {
    layer.combine(batch, team.member, team.size);
  } else {
    layer.combine_backward(batch, team.member, team.size);
  }
  team.wait();
}

// One stage of rows first .. first + count of a batch of `batch` rows.
template <class T>
void Trainer<T>::rows_job(size_t stage, const Pass<T>& pass, int64_t first, int64_t count,
                          int64_t batch) {
  const size_t turn = mixers_.size(), n = network_.layers.size();
  const Memory<T>& memory = arena_->memory;
  if (stage <= turn) {
    const Span nodes{stage == 0 ? 0 : mixers_[stage - 1], stage == turn ? n : mixers_[stage]};
    network_.forward(memory, pass, first, count, idle_, nodes);
  }
  if (stage < turn) {
    const Layer<T>& mixer = *network_.layers[mixers_[stage]];
    return mixer.collect(Rows<T>(mixer, memory, pass, first, count));
  }
  if (stage == turn) losses(pass, first, count);
  const size_t back = stage - turn;
  const bool last = back == mixers_back_.size();
  const Span nodes{last ? 0 : mixers_back_[back] + 1, back == 0 ? n : mixers_back_[back - 1] + 1};
  arena_->backward(network_, pass, first, count, nodes);
  if (last) return tables_.collect(memory, first, count, batch);
  const Layer<T>& mixer = *network_.layers[mixers_back_[back]];
  arena_->merge(network_, kernels_, mixers_back_[back], first, count);
  mixer.collect_backward(Rows<T>(mixer, memory, pass, first, count));
}

// Losses, their gradients and metrics of rows whose values are known.
template <class T>
void Trainer<T>::losses(const Pass<T>& pass, int64_t first, int64_t count) {
  const T* weights = pass.row_weights != nullptr ? pass.row_weights + first : nullptr;
  T* metrics = row_metrics_.data() + first;
  for (size_t h = 0; h < heads_.size(); ++h) {
    const Head<T>& head = heads_[h];
    if (head.scores != nullptr) {
      sampled_loss(h, pass, first, count);
      continue;
    }
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
}

template <class T>
void Trainer<T>::gather(const Examples<T>& examples, const Step& step, int64_t first,
                        int64_t count) {
  std::fill_n(row_penalties_.data() + first, count, T{0});
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
    } else if (examples.bytes[i]) {
      const int64_t width = value.width();
      kernels_.gather_bytes(count, width,
                            static_cast<const uint8_t*>(examples.inputs[i]) + base * width, rows,
                            arena_->input_rows(node) + first * width);
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

template void Trainer<float>::rows_phase(const Team&, const Examples<float>&, const Step&, uint64_t,
                                         bool, Counters&);
template void Trainer<double>::rows_phase(const Team&, const Examples<double>&, const Step&,
                                          uint64_t, bool, Counters&);

}  // namespace fastnn
