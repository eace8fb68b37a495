// Checks that constructors of layers share; every message begins with the layer's name.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "nn/graph.h"

namespace fastnn {

inline void check_inputs(const Node& node, const std::vector<Value>& inputs, size_t least,
                         size_t most) {
  check(inputs.size() >= least && inputs.size() <= most, node.name, ": expected ",
        least == most ? "" : "at least ", least, least == 1 ? " input" : " inputs", ", got ",
        inputs.size());
}

inline void check_floats(const Node& node, const Value& input) {
  check(!input.ids, node.name, ": expected numbers as input, got ids; put an Embedding between");
}

inline void check_ids(const Node& node, const Value& input, int64_t rows) {
  check(input.ids, node.name, ": expected ids as input, got numbers of shape ",
        to_string(input.shape), "; use Input(dtype=\"int32\")");
  check(input.vocabulary == 0 || input.vocabulary <= rows, node.name,
        ": expected input_dim of at least the vocabulary ", input.vocabulary, ", got ", rows);
}

// The one float input of an elementwise layer, whose shape is also the output's.
inline Value same_as_only_input(const Node& node, const std::vector<Value>& inputs) {
  check_inputs(node, inputs, 1, 1);
  check_floats(node, inputs[0]);
  return inputs[0];
}

// A finite number in [low, high].
inline double number_within(const Node& node, const std::string& name, double otherwise, double low,
                            double high) {
  const double value = node.config.number(name, otherwise);
  check(std::isfinite(value) && value >= low && value <= high, node.name, ": expected ", name,
        " in [", low, ", ", high, "], got ", value);
  return value;
}

inline int64_t size_setting(const Node& node, const std::string& name) {
  const double value = node.config.number(name, 0);
  check(value >= 1 && value < 2147483648.0 && value == std::floor(value), node.name, ": expected ",
        name, " to be a whole number in [1, 2**31), got ", value);
  return static_cast<int64_t>(value);
}

// sparse_update: "touched" rows of a table; "dense", every row in every step; or "exact", as dense,
// but rows that were not looked up catch up when they are.
inline std::string sparse_update(const Node& node) {
  const std::string update = node.config.word("sparse_update", "touched");
  check(update == "touched" || update == "exact" || update == "dense", node.name,
        ": expected sparse_update to be one of touched, exact, dense, got ", update);
  return update;
}

}  // namespace fastnn
