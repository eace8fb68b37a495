// The best candidates of each query, and the ranks of relevant ones.
#pragma once

#include <cstdint>

#include "nn/catalogue.h"
#include "nn/poll.h"

namespace fastnn {

// Where the results go. The best: positions[m, k] (-1: none left) and scores[m, k] (-inf), best
// first, equal scores by the lower position. For every relevant candidate how many others stand
// above it, and have its score at a lower and at a higher position: added to what is there.
template <class T>
struct Request {
  int64_t k;
  int64_t* positions;
  T* scores;
  Lists relevant;
  int64_t *above = nullptr, *before = nullptr, *after = nullptr;
};

// Scores all candidates of a catalogue, in blocks. Results depend neither on the blocks nor on the
// threads: positions put all candidates in one order, and a score has the same bits in any block.
// False when stopped, by the caller or, if asked to look, at an item that is not finite.
template <class T>
bool rank(const Catalogue<T>& catalogue, const Lists& exclude, int threads, bool finite,
          const Request<T>& ranking, const Ask& ask);

}  // namespace fastnn
