#include "nn/graph.h"

#include <cmath>

namespace fastnn {

double Config::number(const std::string& name, double otherwise) const {
  const auto found = numbers.find(name);
  return found == numbers.end() ? otherwise : found->second;
}

double Config::number(const std::string& name) const {
  const auto found = numbers.find(name);
  check(found != numbers.end(), name, ": expected a number, got nothing");
  return found->second;
}

int64_t Config::size(const std::string& name) const {
  const double value = number(name);
  check(value >= 1 && value < 9e15 && value == std::floor(value), name,
        ": expected a whole number of at least 1, got ", value);
  return static_cast<int64_t>(value);
}

std::string Config::word(const std::string& name, const std::string& otherwise) const {
  const auto found = words.find(name);
  return found == words.end() ? otherwise : found->second;
}

}  // namespace fastnn
