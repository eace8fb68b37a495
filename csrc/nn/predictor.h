// Forward passes that change nothing: predict and evaluate.
#pragma once

#include <vector>

#include "nn/trainer.h"

namespace fastnn {

// outputs[i][n, width of output i]; threads at most that many, 0 = default_threads().
template <class T>
void predict(const Network<T>& network, const Examples<T>& examples, int threads,
             const std::vector<T*>& outputs);

// Sums of losses and metrics over all examples, noise off.
template <class T>
Report evaluate(const Network<T>& network, const std::vector<Head<T>>& heads,
                const Examples<T>& examples, int threads);

}  // namespace fastnn
