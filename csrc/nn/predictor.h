// Forward passes that change nothing: predict and evaluate.
#pragma once

#include <vector>

#include "nn/trainer.h"

namespace fastnn {

// A place to work in, for one thread.
template <class T>
struct Workspace {
  explicit Workspace(const Network<T>& network);
  Arena<T> arena;
  Buffer<T> scratch;
};

// Some are kept for the next call, so that predicting a single row allocates nothing.
template <class T>
class Workspaces {
 public:
  ~Workspaces();
  std::unique_ptr<Workspace<T>> take(const Network<T>& network);
  void give_back(std::unique_ptr<Workspace<T>> workspace);

 private:
  static constexpr size_t kKept = 4;
  std::atomic<Workspace<T>*> spare_[kKept] = {};
};

// outputs[i][n, width of output i]; threads at most that many, 0 = default_threads(). False when
// stopped before the end: by the caller, or at an input that is not finite, if asked to look.
template <class T>
bool predict(const Network<T>& network, Workspaces<T>& workspaces, const Examples<T>& examples,
             int threads, const std::vector<T*>& outputs, bool finite, const Ask& ask);

// Sums of losses and metrics over all examples, noise off; interrupted when stopped.
template <class T>
Report evaluate(const Network<T>& network, Workspaces<T>& workspaces,
                const std::vector<Head<T>>& heads, const Known& known, const Examples<T>& examples,
                int threads, const Ask& ask);

}  // namespace fastnn
