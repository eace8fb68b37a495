// Columns on lanes: loops over the columns (or channels) of a row, several vectors at a time.
#pragma once

#include "kernels/blocks.h"
#include "kernels/vector.h"

namespace fastnn::FASTNN_ISA {

// Whole numbers, one per lane of T; int32 in memory.
template <class T>
using Integer = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
template <class T>
using Integers = Vector<Integer<T>>;
template <class T>
struct Int32s {
  typedef int32_t Type __attribute__((vector_size(4 * kLanes<T>)));
};

template <class T>
FASTNN_INLINE Integers<T> repeat(Index number) {
  return static_cast<Integer<T>>(number) - Integers<T>{};
}

// Access to all lanes of a vector.
template <class T>
struct AllLanes {
  FASTNN_INLINE Vector<T> read(const T* p) const { return load(p); }
  FASTNN_INLINE void write(T* p, Vector<T> v) const { store(p, v); }
  FASTNN_INLINE Vector<T> only(Vector<T> v) const { return v; }
  FASTNN_INLINE Integers<T> read(const int32_t* p) const {
    typename Int32s<T>::Type narrow;
    std::memcpy(&narrow, p, sizeof narrow);
    return __builtin_convertvector(narrow, Integers<T>);
  }
  FASTNN_INLINE void write(int32_t* p, Integers<T> v) const {
    const auto narrow = __builtin_convertvector(v, typename Int32s<T>::Type);
    std::memcpy(p, &narrow, sizeof narrow);
  }
};

// Access to the first lanes alone; the others read as zeros.
template <class T>
struct FirstLanes {
  Index count;

  FASTNN_INLINE Vector<T> read(const T* p) const { return load_first(p, count); }
  FASTNN_INLINE void write(T* p, Vector<T> v) const { store_first(p, v, count); }
  FASTNN_INLINE Vector<T> only(Vector<T> v) const {
    Integers<T> lane;
    for (int j = 0; j < kLanes<T>; ++j) lane[j] = j;
    return lane < repeat<T>(count) ? v : Vector<T>{};
  }
  FASTNN_INLINE Integers<T> read(const int32_t* p) const {
#if defined(__AVX512F__)
    const auto mask = static_cast<__mmask16>((1U << count) - 1);
    if constexpr (sizeof(T) == 4)
      return reinterpret_cast<Integers<T>>(_mm512_maskz_loadu_epi32(mask, p));
#endif
    Integers<T> v = {};
    for (Index j = 0; j < count; ++j) v[j] = p[j];
    return v;
  }
  FASTNN_INLINE void write(int32_t* p, Integers<T> v) const {
#if defined(__AVX512F__)
    const auto mask = static_cast<__mmask16>((1U << count) - 1);
    if constexpr (sizeof(T) == 4)
      return _mm512_mask_storeu_epi32(p, mask, reinterpret_cast<__m512i>(v));
#endif
    for (Index j = 0; j < count; ++j) p[j] = static_cast<int32_t>(v[j]);
  }
};

// Asks for the lines of some vectors from p on.
template <int kVectors, class T>
FASTNN_INLINE void ask(const T* p) {
  for (int byte = 0; byte < kVectors * kVectorBytes; byte += 64)
    __builtin_prefetch(p + byte / static_cast<int>(sizeof(T)));
}

// Arrays beyond the caches, which pay for being asked for ahead.
template <class T>
FASTNN_INLINE bool is_far(Index elements) {
  return elements * static_cast<Index>(sizeof(T)) > Index{8} << 20;
}

template <int kValue>
using Int = std::integral_constant<int, kValue>;

// Calls body(first column, vectors, access) until all n columns are done: kMost vectors at a time,
// whose chains of operations overlap, then half as many ..., then one, then what is left.
template <class T, int kMost, class Body>
FASTNN_INLINE void for_lanes(Index n, Body body, Index begin = 0) {
  constexpr Index width = kMost * kLanes<T>;
  for (; begin + width <= n; begin += width) body(begin, Int<kMost>{}, AllLanes<T>{});
  if constexpr (kMost > 1) return for_lanes<T, kMost / 2>(n, body, begin);
  if (begin < n) body(begin, Int<1>{}, FirstLanes<T>{n - begin});
}

}  // namespace fastnn::FASTNN_ISA
