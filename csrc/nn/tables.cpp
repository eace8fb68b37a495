#include "nn/tables.h"

#include <algorithm>

namespace fastnn {
namespace {

constexpr int64_t kBlockRows = 32;  // rows of a table summed before they are updated

}  // namespace

template <class T>
const T* Tables<T>::gradients(const Table<T>& table, const Memory<T>& memory) const {
  return table.users.empty() ? table.layer->lookup_gradients(memory) : table.collected.data();
}

template <class T>
void Tables<T>::begin(const std::vector<double>& rates) {
  for (Table<T>& table : tables_) {
    if (!table.missed.matter()) continue;
    table.missed.begin(rates);
    std::fill_n(table.last.data(), table.last.size(), 0);
  }
}

template <class T>
void Tables<T>::record(const UpdateStep<T>& step) {
  for (Table<T>& table : tables_) {
    if (table.missed.matter()) table.missed.record(step);
  }
}

template <class T>
void Tables<T>::prepare(const Kernels<T>& kernels, const OptimizerPlan& plan, int64_t applied,
                        bool applies, int part, int parts) {
  for (Table<T>& table : tables_) {
    if (!table.missed.matter()) continue;
    const Missed<T> missed = table.missed.until(applied, applied + (applies ? 1 : 0));
    const int32_t* rows = sorted_[table.sorted].rows.data();
    const Slots<T> slots(*table.parameter, 0);
    for_blocks(table, part, parts, [&](Range range) {
      kernels.catch_up_rows(plan.kind, missed, range.end - range.begin, table.d, rows + range.begin,
                            table.last.data(), table.parameter->value.data(), slots[0], slots[1],
                            slots[2]);
    });
  }
}

template <class T>
void Tables<T>::finish(const Kernels<T>& kernels, const OptimizerPlan& plan, int64_t applied,
                       int part, int parts) {
  for (Table<T>& table : tables_) {
    if (!table.missed.matter()) continue;
    Parameter<T>& p = *table.parameter;
    const int64_t begin = p.shape[0] * part / parts, end = p.shape[0] * (part + 1) / parts;
    const Slots<T> slots(p, p.rowwise ? begin : begin * table.d);
    kernels.catch_up_rows(plan.kind, table.missed.until(applied, applied), end - begin, table.d,
                          nullptr, table.last.data() + begin, p.value.data() + begin * table.d,
                          slots[0], slots[1], slots[2]);
  }
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

// Gradients of n rows whose lookups begin at starts[0] .. starts[n - 1].
template <class T>
void Tables<T>::sum_rows(const Kernels<T>& kernels, const Memory<T>& memory, const Table<T>& table,
                         int64_t n, const int32_t* starts, T* g) const {
  const int32_t* order = sorted_[table.sorted].order.data();
  const Lookups<T>& own = table.lookups;
  if (own.sources != nullptr) {
    kernels.weighted_sums(n, table.d, starts, order, own.k, own.coefficients, own.sources, g);
  } else {
    kernels.embedding_sums(
        n, table.d, starts, order,
        own.coefficients != nullptr ? own.coefficients : gradients(table, memory), g);
  }
}

// Gradients of the rows at range.begin .. range.end: distinct ids, or rows of the table when every
// row is updated (zeros for those without a lookup). The padding's is zero.
template <class T>
void Tables<T>::sum(const Kernels<T>& kernels, const Memory<T>& memory, const Table<T>& table,
                    Range range, T* g) const {
  const SortedIds& ids = sorted_[table.sorted];
  const int32_t* starts = ids.starts.data();
  if (!table.use.every_row) {
    return sum_rows(kernels, memory, table, range.end - range.begin, starts + range.begin, g);
  }
  std::fill_n(g, (range.end - range.begin) * table.d, T{0});
  const int32_t* rows = ids.rows.data();
  for (int64_t r = std::lower_bound(rows, rows + ids.distinct, range.begin) - rows;
       r < ids.distinct && rows[r] < range.end; ++r) {
    if (rows[r] == table.use.padding) continue;
    sum_rows(kernels, memory, table, 1, starts + r, g + (rows[r] - range.begin) * table.d);
  }
}

// One optimizer step on the rows of a range, whose gradients are g.
template <class T>
void Tables<T>::step_rows(const Kernels<T>& kernels, const OptimizerPlan& plan,
                          const UpdateStep<T>& step, const NoiseKey& noise, const Table<T>& table,
                          Range range, const T* g) const {
  Parameter<T>& p = *table.parameter;
  if (p.halves.size() > 0) return step_halves(kernels, plan, step, noise, table, range, g);
  const int64_t n = range.end - range.begin, d = table.d;
  const SortedIds& ids = sorted_[table.sorted];
  T* w = p.value.data();
  if (!table.use.every_row) {
    const Slots<T> slots(p, 0);
    kernels.update_rows(plan.kind, step, n, ids.distinct - range.end, d,
                        ids.rows.data() + range.begin, w, slots[0], slots[1], slots[2], g);
    return;
  }
  const Slots<T> slots(p, p.rowwise ? range.begin : range.begin * d);
  w += range.begin * d;
  if (p.rowwise) {
    kernels.update_rows(plan.kind, step, n, 0, d, nullptr, w, slots[0], nullptr, nullptr, g);
  } else {
    kernels.update(plan.kind, step, n * d, w, slots[0], slots[1], slots[2], g, false);
  }
}

// The same where the table is held as bfloat16, rounded by the layer's own stream of words.
template <class T>
void Tables<T>::step_halves(const Kernels<T>& kernels, const OptimizerPlan& plan,
                            const UpdateStep<T>& step, NoiseKey noise, const Table<T>& table,
                            Range range, const T* g) const {
  const SortedIds& ids = sorted_[table.sorted];
  const Slots<T> slots(*table.parameter, 0);
  noise.stream = table.layer->stream + 1;
  kernels.update_rows_bf16(plan.kind, step, range.end - range.begin, ids.distinct - range.end,
                           table.d, ids.rows.data() + range.begin, table.parameter->halves.data(),
                           slots[0], slots[1], slots[2], g, noise);
}

// Calls visit(range) for blocks of a part's rows; the row of the padding, which is not updated
// unless every row is, lies in none of them.
template <class T>
template <class Visit>
void Tables<T>::for_blocks(const Table<T>& table, int part, int parts, Visit visit) const {
  const Range all = share(table, part, parts);
  const SortedIds& ids = sorted_[table.sorted];
  int64_t padding = -1;
  if (table.use.padding >= 0 && !table.use.every_row) {
    const int32_t* rows = ids.rows.data();
    const int32_t* found = std::lower_bound(rows, rows + ids.distinct, table.use.padding);
    if (found != rows + ids.distinct && *found == table.use.padding) padding = found - rows;
  }
  for (int64_t begin = all.begin; begin < all.end;) {
    if (begin == padding) {
      ++begin;
      continue;
    }
    int64_t end = std::min(begin + kBlockRows, all.end);
    if (begin < padding && padding < end) end = padding;
    visit(Range{begin, end});
    begin = end;
  }
}

template <class T>
void Tables<T>::update(const Kernels<T>& kernels, const Memory<T>& memory,
                       const OptimizerPlan& plan, UpdateStep<T> step, const NoiseKey& noise,
                       int part, int parts, T* g) const {
  for (const Table<T>& table : tables_) {
    step.l1 = static_cast<T>(table.parameter->l1);
    step.rowwise = table.parameter->rowwise;
    step.l2 = static_cast<T>(table.parameter->l2);
    if (table.use.every_row) {
      update_every_row(kernels, memory, plan, step, table, share(table, part, parts), g);
      continue;
    }
    for_blocks(table, part, parts, [&](Range range) {
      sum(kernels, memory, table, range, g);
      step_rows(kernels, plan, step, noise, table, range, g);
    });
  }
}

// Rows begin .. end of a table: those with a lookup from their sums, then the others from zeros.
template <class T>
void Tables<T>::update_every_row(const Kernels<T>& kernels, const Memory<T>& memory,
                                 const OptimizerPlan& plan, const UpdateStep<T>& step,
                                 const Table<T>& table, Range range, T* g) const {
  const SortedIds& ids = sorted_[table.sorted];
  const int32_t* rows = ids.rows.data();
  const int32_t* last = std::lower_bound(rows, rows + ids.distinct, range.end);
  Parameter<T>& p = *table.parameter;
  const Slots<T> slots(p, 0);
  const int32_t* first = std::lower_bound(rows, rows + ids.distinct, range.begin);
  for (const int32_t* row = first; row < last; row += kBlockRows) {
    const int64_t n = std::min<int64_t>(kBlockRows, last - row);
    sum_rows(kernels, memory, table, n, ids.starts.data() + (row - rows), g);
    const int32_t* padding = std::find(row, row + n, table.use.padding);
    if (padding != row + n) std::fill_n(g + (padding - row) * table.d, table.d, T{0});
    kernels.update_rows(plan.kind, step, n, last - row - n, table.d, row, p.value.data(), slots[0],
                        slots[1], slots[2], g);
  }
  std::fill_n(g, kBlockRows * table.d, T{0});
  for (int64_t row = range.begin; row < range.end;) {
    if (first < last && *first == row) {
      ++first;
      ++row;
      continue;
    }
    int64_t end = std::min(range.end, row + kBlockRows);
    if (first < last) end = std::min<int64_t>(end, *first);
    step_rows(kernels, plan, step, {}, table, {row, end}, g);
    row = end;
  }
}

template <class T>
void Tables<T>::store(const Kernels<T>& kernels, const Memory<T>& memory, bool penalized, int part,
                      int parts, T* held) {
  for (Table<T>& table : tables_) {
    const Parameter<T>& p = *table.parameter;
    const T l2 = penalized ? static_cast<T>(p.l2) : T{0};
    const int32_t* rows = sorted_[table.sorted].rows.data();
    const int64_t d = table.d;
    for_blocks(table, part, parts, [&](Range range) {
      sum(kernels, memory, table, range, table.sums.data() + range.begin * d);
      for (int64_t r = range.begin; r < range.end; ++r) {
        const int64_t row = table.use.every_row ? r : rows[r];
        T* g = table.sums.data() + r * d;
        if (p.halves.size() == 0) {
          kernels.regularize(d, p.value.data() + row * d, l2, T{0}, g);
        } else if (l2 > 0) {
          p.read(row * d, d, held);
          kernels.regularize(d, held, l2, T{0}, g);
        }
        table.squares.data()[r] = kernels.sum_squares(d, g);
      }
    });
  }
}

template <class T>
double Tables<T>::squared_norm(size_t which) const {
  const Table<T>& table = tables_[which];
  double sum = 0;
  for_blocks(table, 0, 1, [&](Range range) {
    for (int64_t r = range.begin; r < range.end; ++r) sum += table.squares.data()[r];
  });
  return sum;
}

template <class T>
void Tables<T>::apply(const Kernels<T>& kernels, const OptimizerPlan& plan, UpdateStep<T> step,
                      const NoiseKey& noise, const double* scales, int part, int parts) const {
  step.l2 = 0;  // already in the stored gradients
  for (size_t i = 0; i < tables_.size(); ++i) {
    const Table<T>& table = tables_[i];
    step.l1 = static_cast<T>(table.parameter->l1);
    step.rowwise = table.parameter->rowwise;
    step.gradient_scale = static_cast<T>(scales[i]);
    for_blocks(table, part, parts, [&](Range range) {
      step_rows(kernels, plan, step, noise, table, range,
                table.sums.data() + range.begin * table.d);
    });
  }
}

template <class T>
void Tables<T>::scatter(size_t which, T* gradient) const {
  const Table<T>& table = tables_[which];
  const int32_t* rows = sorted_[table.sorted].rows.data();
  for_blocks(table, 0, 1, [&](Range range) {
    for (int64_t r = range.begin; r < range.end; ++r) {
      const int64_t row = table.use.every_row ? r : rows[r];
      std::copy_n(table.sums.data() + r * table.d, table.d, gradient + row * table.d);
    }
  });
}

template <class T>
int64_t Tables<T>::scratch() const {
  int64_t most = 0;
  for (const Table<T>& table : tables_) most = std::max(most, kBlockRows * table.d);
  return most;
}

template class Tables<float>;
template class Tables<double>;

}  // namespace fastnn
