// The description of a model as it crosses the border: nodes and specs (docs/design.md, section 2).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/shape.h"

namespace fastnn {

// Settings by name: numbers, words, tuples of integers.
struct Config {
  std::map<std::string, double> numbers;
  std::map<std::string, std::string> words;
  std::map<std::string, Shape> shapes;

  double number(const std::string& name, double otherwise) const;
  double number(const std::string& name) const;  // throws when missing
  int64_t size(const std::string& name) const;   // a whole number >= 1
  std::string word(const std::string& name, const std::string& otherwise) const;
};

struct Spec {
  std::string kind;
  Config config;
};

struct Node {
  std::string kind, name;
  std::vector<int> inputs;
  Config config;
};

// What a node produces: float rows, or ids below a bound.
struct Value {
  Shape shape;
  bool ids = false;
  int64_t vocabulary = 0;  // ids lie in [0, vocabulary); 0 = no bound known
  int64_t width() const { return size_of(shape); }
};

}  // namespace fastnn
