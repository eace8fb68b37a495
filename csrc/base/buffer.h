// Aligned memory that is allocated once and owned by one object; or a file in its place.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "base/check.h"

namespace fastnn {

// Zero-filled, 64-byte aligned; large buffers are 2 MiB aligned and ask for huge pages.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t size) { reset(size); }
  ~Buffer() { release(); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }

  // Forgets the contents; the new ones are zero.
  void reset(int64_t size) {
    release();
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

  // Takes a file for memory: `size` elements, zeros if it did not exist. What is written to them is
  // the system's to write to the file; flush() waits for that. Returns whether there was a file.
  bool map(const std::string& path, int64_t size) {
    release();
    const auto bytes = checked_multiply(size, sizeof(T));
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    check(file >= 0, "file: expected one that can be read and written, got ", path, " (",
          std::strerror(errno), ")");
    struct stat found{};
    const bool known = fstat(file, &found) == 0 && found.st_size > 0;
    const bool fits = known ? found.st_size == bytes : ftruncate(file, bytes) == 0;
    void* memory = fits ? mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                               MAP_SHARED, file, 0)
                        : MAP_FAILED;
    const std::string problem = std::strerror(errno);
    close(file);
    check(!known || fits, "file: expected ", bytes, " bytes for this table, got ", found.st_size,
          " in ", path);
    check(memory != MAP_FAILED, "file: expected room for ", bytes, " bytes, got ", path, " (",
          problem, ")");
    data_ = static_cast<T*>(memory);
    size_ = size;
    mapped_ = static_cast<size_t>(bytes);
    return known;
  }

  void flush() const {
    if (mapped_ > 0) msync(data_, mapped_, MS_SYNC);
  }

  // Keeps the memory when it is large enough, so that a step never allocates.
  void reserve(int64_t size) {
    if (size > size_) reset(size);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  void release() {
    T* memory = std::exchange(data_, nullptr);
    const size_t mapped = std::exchange(mapped_, 0);
    size_ = 0;
    if (mapped > 0) {
      munmap(memory, mapped);
    } else {
      std::free(memory);
    }
  }
  void swap(Buffer& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
  }

  static constexpr size_t kCacheLine = 64;
  static constexpr size_t kHugePage = size_t{2} << 20;
  T* data_ = nullptr;
  int64_t size_ = 0;
  size_t mapped_ = 0;  // bytes of a file, or 0
};

}  // namespace fastnn
