// Memory for large arrays: aligned to a cache line, in huge pages where the system has them.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace decode {

constexpr int64_t kLine = 64;            // bytes: a cache line, and the widest vector
constexpr int64_t kHugePage = 2 << 20;  // bytes

inline int64_t round_up(int64_t size, int64_t to) { return (size + to - 1) / to * to; }

// Not initialised: pages that are never written, such as those of unused positions, take no memory.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  // huge: for an array that is filled at once and read often. A huge page takes 2 MiB of memory as
  // soon as a byte of it is written.
  explicit Buffer(int64_t size, bool huge = false) {
    const int64_t bytes = std::max<int64_t>(size, 1) * static_cast<int64_t>(sizeof(T));
    const int64_t alignment = huge && bytes >= kHugePage ? kHugePage : kLine;
    const auto rounded = static_cast<size_t>(round_up(bytes, alignment));
    void* memory = nullptr;
    if (posix_memalign(&memory, static_cast<size_t>(alignment), rounded) != 0) {
      throw std::bad_alloc();
    }
    data_ = static_cast<T*>(memory);
#if defined(MADV_HUGEPAGE)
    if (alignment == kHugePage) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  }
  ~Buffer() { std::free(data_); }
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  T* get() { return data_; }
  const T* get() const { return data_; }

 private:
  T* data_ = nullptr;
};

}  // namespace decode
