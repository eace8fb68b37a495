// Which tables a network has, and the ids of a batch that they are looked up by, sorted.
#include <algorithm>
#include <limits>

#include "nn/tables.h"

namespace fastnn {
namespace {

template <class T>
int64_t bound_of(const Network<T>& network, int ids_node, int64_t rows) {
  const int64_t vocabulary = network.values[static_cast<size_t>(ids_node)].vocabulary;
  return vocabulary > 0 ? std::min(vocabulary, rows) : rows;
}

// Whether more than one layer looks up a table.
template <class T>
bool is_shared(const Network<T>& network, const Parameter<T>& table) {
  const auto uses = [&](const LayerPointer<T>& layer) {
    return layer != nullptr && layer->table_parameter() == &table;
  };
  return std::count_if(network.layers.begin(), network.layers.end(), uses) > 1;
}

}  // namespace

template <class T>
Tables<T>::Tables(const Network<T>& network, const OptimizerPlan& plan, int64_t rows,
                  bool store_gradients, const std::vector<SampledHead<T>>& sampled) {
  for (const auto& layer : network.layers) {
    if (layer == nullptr || layer->table() == nullptr) continue;
    Parameter<T>* parameter = layer->table_parameter();
    if (!parameter->trainable) continue;
    add_layer(network, plan, layer.get());
  }
  n_inputs_ = sorted_.size();
  for (const SampledHead<T>& head : sampled) add_sampled(head);
  reserve(rows, store_gradients);
}

// The table of a layer that looks rows up, or one more use of a table that is known already.
template <class T>
void Tables<T>::add_layer(const Network<T>& network, const OptimizerPlan& plan, Layer<T>* layer) {
  Parameter<T>* parameter = layer->table_parameter();
  const TableUse& use = *layer->table();
  const auto input = std::find(network.inputs.begin(), network.inputs.end(), use.ids_node);
  const int at = static_cast<int>(input - network.inputs.begin());
  const int64_t bound = bound_of(network, use.ids_node, parameter->shape[0]);
  for (Table<T>& known : tables_) {
    if (known.parameter == parameter) return add_user(known, layer, {at, use.lookups}, bound);
  }
  const size_t sorted = sorted_of(at, use.lookups, is_shared(network, *parameter));
  sorted_[sorted].bound = std::min(sorted_[sorted].bound, bound);
  Table<T>& table = add(layer, parameter, use, sorted);
  if (use.exact) table.missed = MissedSteps<T>(plan, parameter->l1, parameter->l2);
  if (!table.missed.matter()) return;
  table.last.reset(parameter->shape[0]);
  prepares_ = true;
}

// Which ids, sorted, a table that reads an input needs; those of a shared one are its own.
template <class T>
size_t Tables<T>::sorted_of(int input, int64_t lookups, bool shared) {
  for (size_t i = 0; i < sorted_.size() && !shared; ++i) {
    if (sorted_[i].input == input && sorted_[i].several.empty()) return i;
  }
  sorted_.push_back({input, lookups, std::numeric_limits<int32_t>::max(), {}, {}, {}, {}, {}, {}});
  if (shared) sorted_.back().several.push_back({input, lookups});
  return sorted_.size() - 1;
}

template <class T>
void Tables<T>::add_user(Table<T>& table, Layer<T>* layer, const IdsOf& ids, int64_t bound) {
  if (table.users.empty()) table.users.push_back(table.layer);
  table.users.push_back(layer);
  SortedIds& sorted = sorted_[table.sorted];
  sorted.several.push_back(ids);
  sorted.lookups += ids.lookups;
  sorted.bound = std::max(sorted.bound, bound);
}

template <class T>
Table<T>& Tables<T>::add(Layer<T>* layer, Parameter<T>* parameter, const TableUse& use,
                         size_t sorted) {
  const int64_t d = parameter->shape.size() > 1 ? parameter->shape[1] : 1;
  tables_.push_back({layer, parameter, use, d, sorted, {}, {}, {}, {}, {}});
  return tables_.back();
}

// The tables of a layer of scores whose loss samples.
template <class T>
void Tables<T>::add_sampled(const SampledHead<T>& head) {
  const Scores<T>& scores = head.state->scores();
  if (!head.state->trained()) return sampled_.push_back({head, 0, 0});
  const TableUse use{-1, 0, -1, scores.every_row()};
  const Classes<T> classes = scores.classes();
  Sorts sorts{head, sorted_.size(), 0};
  const int64_t count = head.state->most_lookups();
  sorted_.push_back({-1, count, classes.units, {}, {}, {}, {}, {}, {}});
  add(nullptr, &scores.vectors(), use, sorts.classes).lookups = head.state->vector_lookups(head.u);
  if (scores.bias() != nullptr)
    add(nullptr, scores.bias(), use, sorts.classes).lookups = head.state->bias_lookups();
  if (classes.slots > 0) {
    sorts.features = sorted_.size();
    const int64_t slots = checked_multiply(count, classes.slots);
    sorted_.push_back({-1, slots, scores.n_features(), {}, {}, {}, {}, {}, {}});
    sorted_.back().positions.reset(slots);
    add(nullptr, scores.feature_vectors(), use, sorts.features).lookups =
        head.state->feature_lookups(head.u);
  }
  sampled_.push_back(sorts);
}

// Memory for batches of at most `rows` rows.
template <class T>
void Tables<T>::reserve(int64_t rows, bool store_gradients) {
  for (SortedIds& ids : sorted_) {
    const int64_t count = ids.input < 0 ? ids.lookups : checked_multiply(rows, ids.lookups);
    check(count < (int64_t{1} << 31), "batch_size: expected fewer than 2**31 lookups a batch, got ",
          count);
    ids.ids.reset(count);
    ids.order.reset(count);
    ids.rows.reset(std::min(count, ids.bound) + 1);
    ids.starts.reset(std::min(count, ids.bound) + 1);
    ids.scratch.reset(kernels<T>().sort_scratch(count, ids.bound));
  }
  for (Table<T>& table : tables_) {
    const SortedIds& ids = sorted_[table.sorted];
    if (!table.users.empty()) table.collected.reset(checked_multiply(ids.ids.size(), table.d));
    if (!store_gradients) continue;
    const int64_t most =
        table.use.every_row ? table.parameter->shape[0] : std::min(ids.ids.size(), ids.bound);
    table.sums.reset(checked_multiply(most, table.d));
    table.squares.reset(most);
  }
}

template <class T>
void Tables<T>::sort(size_t which, const Kernels<T>& kernels,
                     const std::vector<const void*>& inputs, const int32_t* rows, int64_t first,
                     int64_t count) {
  SortedIds& ids = sorted_[which];
  int32_t* to = ids.ids.data();
  const auto take = [&](const IdsOf& from) {
    const auto* source = static_cast<const int32_t*>(inputs[static_cast<size_t>(from.input)]);
    const int64_t k = from.lookups;
    gather_ids(source + (rows != nullptr ? 0 : first * k), rows, count, k, to);
    to += count * k;
  };
  if (ids.several.empty()) take({ids.input, ids.lookups});
  for (const IdsOf& from : ids.several) take(from);
  ids.count = count * ids.lookups;
  sort(kernels, ids);
}

template <class T>
void Tables<T>::sort(const Kernels<T>& kernels, SortedIds& ids) const {
  ids.distinct = kernels.sort_ids(ids.count, ids.bound, ids.ids.data(), ids.order.data(),
                                  ids.rows.data(), ids.starts.data(), ids.scratch.data());
  if (ids.positions.size() == 0) return;
  for (int64_t i = 0; i < ids.count; ++i)
    ids.order.data()[i] = ids.positions.data()[ids.order.data()[i]];
}

template <class T>
void Tables<T>::sort_sampled(size_t which, const Kernels<T>& kernels, const SampledBatch& batch) {
  const Sorts& sorts = sampled_[which];
  if (!sorts.head.state->trained()) return;
  SortedIds& classes = sorted_[sorts.classes];
  classes.count = sorts.head.state->list(kernels, batch, classes.ids.data());
  sort(kernels, classes);
  if (sorts.features == 0) return;
  SortedIds& features = sorted_[sorts.features];
  features.count = sorts.head.state->list_features(classes.ids.data(), classes.count,
                                                   features.ids.data(), features.positions.data());
  sort(kernels, features);
}

// A table that several layers look up has the gradients of all of them in one piece.
template <class T>
void Tables<T>::collect(const Memory<T>& memory, int64_t first, int64_t count, int64_t batch) {
  for (Table<T>& table : tables_) {
    T* to = table.collected.data();
    for (const Layer<T>* user : table.users) {
      const int64_t width = user->table()->lookups * table.d;
      std::copy_n(user->lookup_gradients(memory) + first * width, count * width,
                  to + first * width);
      to += batch * width;
    }
  }
}

#define FASTNN_INSTANTIATE(T)                                                               \
  template Tables<T>::Tables(const Network<T>&, const OptimizerPlan&, int64_t, bool,        \
                             const std::vector<SampledHead<T>>&);                           \
  template void Tables<T>::sort(size_t, const Kernels<T>&, const std::vector<const void*>&, \
                                const int32_t*, int64_t, int64_t);                          \
  template void Tables<T>::sort_sampled(size_t, const Kernels<T>&, const SampledBatch&);    \
  template void Tables<T>::collect(const Memory<T>&, int64_t, int64_t, int64_t);
FASTNN_INSTANTIATE(float)
FASTNN_INSTANTIATE(double)
#undef FASTNN_INSTANTIATE

}  // namespace fastnn
