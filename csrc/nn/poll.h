// Asking from within a long call whether to stop.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

namespace fastnn {

// True when the caller wants to stop; may be empty.
using Ask = std::function<bool()>;

// Asks about every 20 ms; used by one thread.
class Poll {
 public:
  explicit Poll(const Ask& ask) : ask_(ask), last_(Clock::now()) {}

  bool stop() {
    if (!ask_ || Clock::now() - last_ < std::chrono::milliseconds(20)) return false;
    const bool stop = ask_();
    last_ = Clock::now();
    return stop;
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Ask& ask_;
  Clock::time_point last_;
};

}  // namespace fastnn
