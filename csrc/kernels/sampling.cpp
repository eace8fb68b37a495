// Classes drawn at random, as negatives for losses: uniformly, or by an alias table.
#include "kernels/philox.h"

namespace fastnn::FASTNN_ISA {
namespace {

// Column (word * units) >> 32, with the rest as its fraction: below the column's threshold the
// column itself, else the other one.
FASTNN_INLINE int32_t class_of(uint32_t word, uint64_t units, const uint32_t* alias) {
  const uint64_t product = word * units;
  const uint64_t column = product >> 32;
  if (alias == nullptr) return static_cast<int32_t>(column);
  const uint32_t* pair = alias + 2 * column;
  return static_cast<int32_t>(static_cast<uint32_t>(product) < pair[0] ? column : pair[1]);
}

// Counters of several rows are drawn at once: a row has few.
void draw_classes(const NoiseKey& key, Index first, Index m, Index n, Index units,
                  const uint32_t* alias, int32_t* ids, Index ldids) {
  alignas(64) uint32_t words[kNumbers];
  alignas(64) uint64_t block[kCounters], row[kCounters];
  const Index blocks = (n + 3) / 4, total = m * blocks;
  Index i = 0, p = 0;  // row and block of the next counter
  for (Index at = 0; at < total; at += kCounters) {
    const Index count = least(kCounters, total - at);
    const Index first_row = i, first_block = p;
    for (Index j = 0; j < kCounters; ++j) {
      block[j] = static_cast<uint64_t>(p);
      row[j] = static_cast<uint64_t>(first + i) & 0xFFFFFFFFU;
      if (++p == blocks) {
        p = 0;
        ++i;
      }
    }
    draw(key.seed, block, row, key.step, key.stream, words);
    Index to_row = first_row, to_block = first_block;
    for (Index j = 0; j < count; ++j) {
      int32_t* to = ids + to_row * ldids + 4 * to_block;
      const Index here = least(4, n - 4 * to_block);
      for (Index w = 0; w < here; ++w)
        to[w] = class_of(words[4 * j + w], static_cast<uint64_t>(units), alias);
      if (++to_block == blocks) {
        to_block = 0;
        ++to_row;
      }
    }
  }
}

}  // namespace

template <class T>
void add_sampling(Kernels<T>& table) {
  table.draw_classes = draw_classes;
}
template void add_sampling(Kernels<float>& table);
template void add_sampling(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
