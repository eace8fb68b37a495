// Aligned memory that is allocated once and owned by one object.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"

namespace fastnn {

// Zero-filled, 64-byte aligned; large buffers are 2 MiB aligned and ask for huge pages.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t size) { reset(size); }
  ~Buffer() { std::free(data_); }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  // Forgets the contents; the new ones are zero.
  void reset(int64_t size) {
    std::free(std::exchange(data_, nullptr));
    size_ = 0;
    if (size == 0) return;
    const auto bytes = static_cast<size_t>(checked_multiply(size, sizeof(T)));
    const size_t alignment = bytes >= kHugePage / 4 ? kHugePage : kCacheLine;
    const size_t padded = static_cast<size_t>(
        checked_add(static_cast<int64_t>(bytes), static_cast<int64_t>(alignment) - 1));
    void* memory = std::aligned_alloc(alignment, padded / alignment * alignment);
    if (memory == nullptr) throw std::bad_alloc();
    if (alignment == kHugePage) madvise(memory, padded / alignment * alignment, MADV_HUGEPAGE);
    std::memset(memory, 0, bytes);
    data_ = static_cast<T*>(memory);
    size_ = size;
  }

  // Keeps the memory when it is large enough, so that a step never allocates.
  void reserve(int64_t size) {
    if (size > size_) reset(size);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  static constexpr size_t kCacheLine = 64;
  static constexpr size_t kHugePage = size_t{2} << 20;
  T* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace fastnn
