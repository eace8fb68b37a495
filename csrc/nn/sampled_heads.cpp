// What heads whose loss samples add to a step: draws before the rows, lookups after them.
#include <algorithm>

#include "nn/trainer.h"

namespace fastnn {

template <class T>
typename Trainer<T>::SampledList Trainer<T>::plan_sampled(const std::vector<Head<T>>& heads,
                                                          const Known& known, int64_t rows) {
  SampledList list;
  for (const Head<T>& head : heads) {
    list.push_back(head.scores == nullptr
                       ? nullptr
                       : std::make_unique<Sampled<T>>(*head.scores, head.sampled, &known, rows));
  }
  return list;
}

template <class T>
std::vector<SampledHead<T>> Trainer<T>::sampled_heads() const {
  std::vector<SampledHead<T>> list;
  for (size_t h = 0; h < heads_.size(); ++h) {
    const T* u = arena_->memory.values[static_cast<size_t>(heads_[h].node)];
    if (sampled_[h] != nullptr) list.push_back({h, sampled_[h].get(), u});
  }
  return list;
}

template <class T>
void Trainer<T>::start_sampled(const Examples<T>& examples) {
  for (size_t h = 0; h < heads_.size(); ++h) {
    if (sampled_[h] == nullptr) continue;
    sampled_[h]->start(static_cast<const int32_t*>(examples.targets[h]), examples.n);
  }
}

// Whether something is to be done before the rows of a batch.
template <class T>
bool Trainer<T>::prepares() const {
  return tables_.prepares() || std::any_of(sampled_.begin(), sampled_.end(), [](const auto& head) {
           return head != nullptr && head->shared();
         });
}

template <class T>
SampledBatch Trainer<T>::sampled_batch(size_t which, const Examples<T>& examples, const Step& step,
                                       uint64_t seed) const {
  const SampledHead<T>& head = tables_.sampled(which);
  SampledBatch batch{static_cast<const int32_t*>(examples.targets[head.number]),
                     nullptr,
                     step.rows,
                     step.first,
                     step.count,
                     seed,
                     static_cast<uint32_t>(step.number),
                     alone_};
  if (known_.input >= 0)
    batch.known_ids =
        static_cast<const int32_t*>(examples.inputs[static_cast<size_t>(known_.input)]);
  return batch;
}

// Several threads share the draws of rows that draw for themselves; then all meet.
template <class T>
void Trainer<T>::draw_rows(const Team& team, const Examples<T>& examples, const Step& step,
                           uint64_t seed) {
  bool drawn = false;
  for (size_t which = 0; which < tables_.n_sampled() && !alone_; ++which) {
    Sampled<T>& state = *tables_.sampled(which).state;
    if (!state.draws_early()) continue;
    state.draw_part(kernels_, sampled_batch(which, examples, step, seed), team.member, team.size);
    drawn = true;
  }
  if (drawn) team.wait();
}

// Draws what the rows of a head share, and sorts its lookups unless that is for later.
template <class T>
void Trainer<T>::sort_sampled(size_t which, const Examples<T>& examples, const Step& step,
                              uint64_t seed, bool late) {
  const SampledHead<T>& head = tables_.sampled(which);
  const SampledBatch batch = sampled_batch(which, examples, step, seed);
  if (head.state->shared()) head.state->draw(kernels_, batch);
  if (head.state->listed_late() == late) tables_.sort_sampled(which, kernels_, batch);
}

template <class T>
void Trainer<T>::sampled_loss(size_t h, const Pass<T>& pass, int64_t first, int64_t count) {
  Sampled<T>& head = *sampled_[h];
  const int64_t d = head.scores().classes().d;
  DrawRows at{pass.noise.seed, pass.noise.step, first, count, labels_[h].data() + first, nullptr};
  if (known_.input >= 0) {
    const int node = network_.inputs[static_cast<size_t>(known_.input)];
    at.known_ids = arena_->memory.ids[static_cast<size_t>(node)] + first;
  }
  SampledRows<T> rows{};
  rows.u = arena_->memory.values[static_cast<size_t>(heads_[h].node)] + first * d;
  rows.weights = pass.row_weights != nullptr ? pass.row_weights + first : nullptr;
  rows.scale = pass.row_scale * static_cast<T>(heads_[h].weight);
  rows.losses = row_losses_.data() + static_cast<int64_t>(h) * batch_size_ + first;
  T* gradient = arena_->head_gradient(h);
  rows.du = gradient == nullptr ? nullptr : gradient + first * d;
  rows.scratch = pass.scratch;
  head.run(kernels_, at, rows);
}

// After all rows: the gradients of what they share, and lookups that waited for the losses.
template <class T>
void Trainer<T>::finish_sampled(const Team& team, const Examples<T>& examples, const Step& step,
                                uint64_t seed) {
  bool waits = false;
  for (size_t which = 0; which < tables_.n_sampled(); ++which) {
    const SampledHead<T>& head = tables_.sampled(which);
    if (!head.state->trained()) continue;
    if (head.state->shared()) {
      head.state->finish(kernels_, head.u, step.count, team.member, team.size);
    } else if (!head.state->listed_late()) {
      continue;
    } else if (static_cast<int>(which) % team.size == team.member) {
      sort_sampled(which, examples, step, seed, true);
    }
    waits = true;
  }
  if (waits) team.wait();
}

#define FASTNN_INSTANTIATE(T)                                                                      \
  template typename Trainer<T>::SampledList Trainer<T>::plan_sampled(const std::vector<Head<T>>&,  \
                                                                     const Known&, int64_t);       \
  template std::vector<SampledHead<T>> Trainer<T>::sampled_heads() const;                          \
  template void Trainer<T>::start_sampled(const Examples<T>&);                                     \
  template bool Trainer<T>::prepares() const;                                                      \
  template void Trainer<T>::draw_rows(const Team&, const Examples<T>&, const Step&, uint64_t);     \
  template void Trainer<T>::sort_sampled(size_t, const Examples<T>&, const Step&, uint64_t, bool); \
  template void Trainer<T>::sampled_loss(size_t, const Pass<T>&, int64_t, int64_t);                \
  template void Trainer<T>::finish_sampled(const Team&, const Examples<T>&, const Step&, uint64_t);
FASTNN_INSTANTIATE(float)
FASTNN_INSTANTIATE(double)
#undef FASTNN_INSTANTIATE

}  // namespace fastnn
