// The table of a layer: its memory, or a file, of floats or of bfloat16.
#pragma once

#include <string>

#include "nn/layer.h"
#include "nn/planning.h"

namespace fastnn {

template <class T>
Parameter<T>* hold_table(const Node& node, Parameter<T>& table) {
  const std::string storage = node.config.word("storage", "float32");
  check(storage == "float32" || storage == "bfloat16", node.name,
        ": expected storage to be float32 or bfloat16, got ", storage);
  const bool halves = storage == "bfloat16";
  check(!halves || sizeof(T) == 4, node.name,
        ": expected storage float32 for dtype float64, got bfloat16");
  check(!halves || sparse_update(node) == "touched", node.name,
        ": expected sparse_update touched for storage bfloat16, got ", sparse_update(node));
  table.table = true;
  const std::string file = node.config.word("file", "");
  const int64_t size = size_of(table.shape);
  if (halves) {
    if (file.empty()) table.halves.reset(size);
    if (!file.empty()) table.kept = table.halves.map(file, size);
  } else {
    if (file.empty()) table.value.reset(size);
    if (!file.empty()) table.kept = table.value.map(file, size);
  }
  return &table;
}

template <class T>
void check_shared_table(const std::string& name, const Parameter<T>& table, const Shape& shape) {
  check(table.table && table.shape == shape, name, ": expected a table of shape ", to_string(shape),
        " to share, got ", table.name, " of shape ", to_string(table.shape));
}

}  // namespace fastnn
