// The best of a catalogue: which scores may still enter a selection, how many stand above one, and
// distances, the scores that are no product of matrices.
#include "kernels/blocks.h"
#include "kernels/transpose.h"
#include "kernels/vmath.h"

namespace fastnn::FASTNN_ISA {
namespace {

// --- selection -----------------------------------------------------------------------------------

template <class T>
inline Index append(unsigned bits, const T* x, int32_t first, Candidate<T>* found, Index n) {
  for (; bits != 0; bits &= bits - 1) {
    const int lane = __builtin_ctz(bits);
    found[n++] = {x[lane], first + lane};
  }
  return n;
}

// Nearly all scores are below the threshold: a group of vectors is passed over with one branch.
template <class T>
Index select(Index count, const T* x, T threshold, int32_t first, Index room, Candidate<T>* found,
             Index* n_found) {
  constexpr int lanes = kLanes<T>, vectors = 4;
  constexpr Index group = vectors * lanes;
  static_assert(group <= kSelectRoom);
  const Vector<T> limit = broadcast(threshold);
  Index n = *n_found, p = 0;
  for (; p + group <= count && room - n >= kSelectRoom; p += group) {
    const auto above = [&](int v) { return load(x + p + v * lanes) > limit; };
    if (lane_bits<T>(above(0) | above(1) | above(2) | above(3)) == 0) continue;
    for (int v = 0; v < vectors; ++v) {
      const Index at = p + v * lanes;
      n = append(lane_bits<T>(above(v)), x + at, first + static_cast<int32_t>(at), found, n);
    }
  }
  if (count - p < group && room - n >= kSelectRoom) {
    for (; p < count; ++p) {
      if (x[p] > threshold) found[n++] = {x[p], first + static_cast<int32_t>(p)};
    }
  }
  *n_found = n;
  return p;
}

// --- ranks ---------------------------------------------------------------------------------------

template <class T>
void count_scores(Index count, const T* x, T score, Index* above, Index* equal) {
  constexpr int lanes = kLanes<T>;
  const Vector<T> limit = broadcast(score);
  auto higher = limit > limit, same = higher;  // zeros; a comparison that holds is -1
  Index p = 0;
  for (; p + lanes <= count; p += lanes) {
    const Vector<T> value = load(x + p);
    higher += value > limit;
    same += value == limit;
  }
  for (int lane = 0; lane < lanes; ++lane) *above -= higher[lane], *equal -= same[lane];
  for (; p < count; ++p) *above += x[p] > score, *equal += x[p] == score;
}

// --- distances -----------------------------------------------------------------------------------

inline constexpr int kDistanceVectors = 2, kDistanceRows = 4;
template <class T>
inline constexpr Index kDistanceWidth = kDistanceVectors * kLanes<T>;

template <class T>
Index distance_scratch(Index d) {
  return d * kDistanceWidth<T>;
}

// Squares of kRows rows of q against the columns of v, transposed to v[d, kDistanceWidth].
template <class T, int kRows>
inline void add_squares(Index d, const T* q, const T* v, T* y, Index ldy, Index width) {
  constexpr int lanes = kLanes<T>;
  Vector<T> sum[kRows][kDistanceVectors] = {};
  for (Index p = 0; p < d; ++p, v += kDistanceWidth<T>) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const Vector<T> value = broadcast(q[r * d + p]);
#pragma GCC unroll 2
      for (int c = 0; c < kDistanceVectors; ++c) {
        const Vector<T> difference = value - load(v + c * lanes);
        sum[r][c] += difference * difference;
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kDistanceVectors; ++c) {
      const Index left = least(width - c * lanes, lanes);
      if (left > 0) store_first(y + r * ldy + c * lanes, sum[r][c], left);
    }
  }
}

template <class T>
void distances(Index m, Index n, Index d, const T* q, const T* v, T* y, Index ldy, T* scratch) {
  constexpr Index full = kDistanceWidth<T>;
  for (Index j = 0; j < n; j += full) {
    const Index width = least(n - j, full);
    transpose(width, d, full, v + j * d, d, scratch, full);
    Index i = 0;
    for (; i + kDistanceRows <= m; i += kDistanceRows) {
      add_squares<T, kDistanceRows>(d, q + i * d, scratch, y + i * ldy + j, ldy, width);
    }
    for (; i < m; ++i) add_squares<T, 1>(d, q + i * d, scratch, y + i * ldy + j, ldy, width);
  }
  for (Index i = 0; i < m; ++i) map(n, y + i * ldy, y + i * ldy, [](T s) { return -vsqrt(s); });
}

}  // namespace

template <class T>
void add_topk(Kernels<T>& table) {
  table.select = select<T>;
  table.count_scores = count_scores<T>;
  table.distances = distances<T>;
  table.distance_scratch = distance_scratch<T>;
}
template void add_topk<float>(Kernels<float>&);
template void add_topk<double>(Kernels<double>&);

}  // namespace fastnn::FASTNN_ISA
