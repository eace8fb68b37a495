// Names of activations.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "nn/graph.h"

namespace fastnn {

// In the order of enum Activation, then "softmax".
std::vector<std::string> activation_names();

// The elementwise activation a node names in "activation"; throws for an unknown name or softmax.
Activation elementwise_activation(const Node& node, const std::string& otherwise);

}  // namespace fastnn
