#include "nn/tables.h"

#include <algorithm>

namespace fastnn {
namespace {

template <class T>
int64_t bound_of(const Network<T>& network, int ids_node, int64_t rows) {
  const int64_t vocabulary = network.values[static_cast<size_t>(ids_node)].vocabulary;
  return vocabulary > 0 ? std::min(vocabulary, rows) : rows;
}

}  // namespace

template <class T>
Tables<T>::Tables(const Network<T>& network, int64_t rows, bool store_gradients) {
  for (const auto& layer : network.layers) {
    if (layer == nullptr || layer->table() == nullptr) continue;
    Parameter<T>* parameter = layer->parameters[0].get();
    if (!parameter->trainable) continue;
    Table<T> table{layer.get(), parameter, *layer->table(), parameter->shape[1], 0, {}, {}};
    const auto input = std::find(network.inputs.begin(), network.inputs.end(), table.use.ids_node);
    const int at = static_cast<int>(input - network.inputs.begin());
    while (table.sorted < sorted_.size() && sorted_[table.sorted].input != at) ++table.sorted;
    const int64_t bound = bound_of(network, table.use.ids_node, parameter->shape[0]);
    if (table.sorted == sorted_.size()) sorted_.push_back({at, table.use.lookups, bound, {}, {}, {}, {}, {}});
    SortedIds& ids = sorted_[table.sorted];
    ids.bound = std::min(ids.bound, bound);
    if (store_gradients) {
      const int64_t most = table.use.every_row ? parameter->shape[0]
                                               : std::min(checked_multiply(rows, ids.lookups), ids.bound);
      table.sums.reset(checked_multiply(most, table.d));
      table.squares.reset(most);
    }
    tables_.push_back(std::move(table));
  }
  for (SortedIds& ids : sorted_) {
    const int64_t count = checked_multiply(rows, ids.lookups);
    check(count < (int64_t{1} << 31), "batch_size: expected fewer than 2**31 lookups a batch, got ", count);
    ids.ids.reset(count);
    ids.order.reset(count);
    ids.rows.reset(std::min(count, ids.bound) + 1);
    ids.starts.reset(std::min(count, ids.bound) + 1);
    ids.scratch.reset(kernels<T>().sort_scratch(count, ids.bound));
  }
}

template <class T>
void Tables<T>::sort(size_t which, const Kernels<T>& kernels,
                     const std::vector<const void*>& inputs, const int32_t* rows, int64_t first,
                     int64_t count) {
  SortedIds& ids = sorted_[which];
  const auto* source = static_cast<const int32_t*>(inputs[static_cast<size_t>(ids.input)]);
  const int64_t k = ids.lookups;
  int32_t* own = ids.ids.data();
  for (int64_t i = 0; i < count; ++i) {
    const int32_t* from = source + (rows != nullptr ? rows[i] : first + i) * k;
    for (int64_t j = 0; j < k; ++j) own[i * k + j] = from[j];
  }
  ids.count = count * k;
  ids.distinct = kernels.sort_ids(ids.count, ids.bound, own, ids.order.data(), ids.rows.data(),
                                  ids.starts.data(), ids.scratch.data());
}

// Which distinct ids (or rows, when every row is updated) a part takes: equal numbers of lookups.
template <class T>
typename Tables<T>::Range Tables<T>::share(const Table<T>& table, int part, int parts) const {
  const SortedIds& ids = sorted_[table.sorted];
  if (table.use.every_row) {
    const int64_t v = table.parameter->shape[0];
    return {v * part / parts, v * (part + 1) / parts};
  }
  const int32_t* starts = ids.starts.data();
  const auto cut = [&](int64_t lookups) {
    return std::lower_bound(starts, starts + ids.distinct, static_cast<int32_t>(lookups)) - starts;
  };
  const int64_t begin = cut(ids.count * part / parts);
  return {begin, part + 1 == parts ? ids.distinct : cut(ids.count * (part + 1) / parts)};
}

// Calls visit(slot, row, n, order) for each row of the range: slot numbers the stored sums, order
// are the n lookups of the row. Padding is no row.
template <class T>
template <class Visit>
void Tables<T>::visit(const Table<T>& table, Range range, Visit visit) const {
  const SortedIds& ids = sorted_[table.sorted];
  const int32_t* rows = ids.rows.data();
  const int32_t* starts = ids.starts.data();
  const int32_t* order = ids.order.data();
  if (!table.use.every_row) {
    for (int64_t r = range.begin; r < range.end; ++r) {
      if (rows[r] == table.use.padding) continue;
      visit(r, rows[r], starts[r + 1] - starts[r], order + starts[r]);
    }
    return;
  }
  int64_t r = std::lower_bound(rows, rows + ids.distinct, static_cast<int32_t>(range.begin)) - rows;
  for (int64_t row = range.begin; row < range.end; ++row) {
    const bool touched = r < ids.distinct && rows[r] == row;
    const bool summed = touched && row != table.use.padding;
    visit(row, row, summed ? starts[r + 1] - starts[r] : 0, order + (summed ? starts[r] : 0));
    if (touched) ++r;
  }
}

template <class T>
void Tables<T>::update(const Kernels<T>& kernels, const Memory<T>& memory,
                       const OptimizerPlan& plan, const UpdateStep<T>& step, int part, int parts,
                       T* g) {
  for (Table<T>& table : tables_) {
    const T* dy = table.layer->lookup_gradients(memory);
    Parameter<T>& p = *table.parameter;
    UpdateStep<T> own = step;
    own.l1 = static_cast<T>(p.l1);
    own.l2 = static_cast<T>(p.l2);
    const int64_t d = table.d;
    visit(table, share(table, part, parts), [&](int64_t, int64_t row, int64_t n, const int32_t* order) {
      kernels.embedding_sum(n, d, order, dy, d, g);
      T* slots[3];
      for (int i = 0; i < 3; ++i) slots[i] = p.slots[i].size() > 0 ? p.slots[i].data() + row * d : nullptr;
      kernels.update(plan.kind, own, d, p.value.data() + row * d, slots[0], slots[1], slots[2], g,
                     false);
    });
  }
}

template <class T>
void Tables<T>::store(const Kernels<T>& kernels, const Memory<T>& memory, bool penalized, int part,
                      int parts) {
  for (Table<T>& table : tables_) {
    const T* dy = table.layer->lookup_gradients(memory);
    const Parameter<T>& p = *table.parameter;
    const int64_t d = table.d;
    visit(table, share(table, part, parts), [&](int64_t slot, int64_t row, int64_t n, const int32_t* order) {
      T* g = table.sums.data() + slot * d;
      kernels.embedding_sum(n, d, order, dy, d, g);
      const T l2 = penalized ? static_cast<T>(p.l2) : T{0};
      kernels.regularize(d, p.value.data() + row * d, l2, T{0}, g);
      table.squares.data()[slot] = kernels.sum_squares(d, g);
    });
  }
}

template <class T>
double Tables<T>::squared_norm(size_t which) const {
  const Table<T>& table = tables_[which];
  double sum = 0;
  visit(table, share(table, 0, 1), [&](int64_t slot, int64_t, int64_t, const int32_t*) {
    sum += table.squares.data()[slot];
  });
  return sum;
}

template <class T>
void Tables<T>::apply(const Kernels<T>& kernels, const OptimizerPlan& plan,
                      const UpdateStep<T>& step, const std::vector<double>& scales, int part,
                      int parts) {
  for (size_t i = 0; i < tables_.size(); ++i) {
    Table<T>& table = tables_[i];
    Parameter<T>& p = *table.parameter;
    UpdateStep<T> own = step;
    own.l1 = static_cast<T>(p.l1);
    own.l2 = 0;  // already in the stored gradient
    own.gradient_scale = static_cast<T>(scales[i]);
    const int64_t d = table.d;
    visit(table, share(table, part, parts), [&](int64_t slot, int64_t row, int64_t, const int32_t*) {
      T* slots[3];
      for (int s = 0; s < 3; ++s) slots[s] = p.slots[s].size() > 0 ? p.slots[s].data() + row * d : nullptr;
      kernels.update(plan.kind, own, d, p.value.data() + row * d, slots[0], slots[1], slots[2],
                     table.sums.data() + slot * d, false);
    });
  }
}

template <class T>
void Tables<T>::scatter(size_t which, T* gradient) const {
  const Table<T>& table = tables_[which];
  visit(table, share(table, 0, 1), [&](int64_t slot, int64_t row, int64_t, const int32_t*) {
    const T* sum = table.sums.data() + slot * table.d;
    std::copy(sum, sum + table.d, gradient + row * table.d);
  });
}

template <class T>
int64_t Tables<T>::widest() const {
  int64_t most = 0;
  for (const Table<T>& table : tables_) most = std::max(most, table.d);
  return most;
}

template class Tables<float>;
template class Tables<double>;

}  // namespace fastnn
