// Threads that take tasks until none is left. OpenMP is not used: with a second OpenMP runtime
// beside Paddle's a step took 1.2 times as long, and macOS has none.

#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace decode {

class Pool {
 public:
  // If the system refuses to start a thread, there are fewer: the results do not depend on it.
  explicit Pool(int threads) {
    workers_.reserve(static_cast<size_t>(std::max(threads, 1)));
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
    }
  }
  ~Pool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int64_t threads() const { return static_cast<int64_t>(workers_.size()) + 1; }

  // Calls f(begin, end) for ranges of at most `grain` that cover 0 to count. Any thread may take
  // any range, so the result of f must not depend on the thread. f must not throw.
  template <typename F>
  void run(int64_t count, int64_t grain, F&& f) {
    const int64_t tasks = (count + grain - 1) / grain;
    if (tasks <= 1 || workers_.empty()) {
      if (count > 0) f(int64_t{0}, count);
      return;
    }
    const auto task = [&](int64_t i) { f(i * grain, std::min(count, (i + 1) * grain)); };
    start(tasks, &task, [](const void* context, int64_t i) {
      (*static_cast<const decltype(task)*>(context))(i);
    });
    while (take()) {
    }
    for (int64_t spins = 0; done_.load(std::memory_order_acquire) != tasks; ++spins) relax(spins);
  }

 private:
  using Call = void (*)(const void*, int64_t);

  // One word has the number of the job in its upper half and the tasks that are left in its lower
  // half. So a thread that comes late takes a task of the present job, or none. The context of a
  // job is valid while one of its tasks is left.
  void start(int64_t tasks, const void* context, Call call) {
    call_ = call;
    context_ = context;
    tasks_ = tasks;
    done_.store(0, std::memory_order_relaxed);
    job_ = (job_ + 1) & 0xffffffff;
    left_.store(job_ << 32 | static_cast<uint64_t>(tasks));
    if (sleeping_.load() > 0) {
      { std::lock_guard<std::mutex> lock(mutex_); }
      wake_.notify_all();
    }
  }

  bool take() {
    uint64_t left = left_.load(std::memory_order_acquire);
    do {
      if ((left & 0xffffffff) == 0) return false;
    } while (!left_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel));
    call_(context_, tasks_ - static_cast<int64_t>(left & 0xffffffff));
    done_.fetch_add(1, std::memory_order_release);
    return true;
  }

  bool waiting() const { return (left_.load() & 0xffffffff) != 0; }

  void serve() {
    for (int64_t idle = 0;;) {
      if (take()) {
        idle = 0;
      } else if (idle < kSpins) {
        relax(idle++);
      } else {
        std::unique_lock<std::mutex> lock(mutex_);
        sleeping_.fetch_add(1);
        wake_.wait(lock, [this] { return stopped_ || waiting(); });
        sleeping_.fetch_sub(1);
        if (stopped_) return;
        idle = 0;
      }
    }
  }

  // Waits a moment, and now and then lets other threads have the core.
  static void relax(int64_t spins) {
    if (spins % 64 == 63) {
      std::this_thread::yield();
      return;
    }
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  // A few times as long as between two jobs of a step. Between two steps the threads sleep.
  static constexpr int64_t kSpins = 4000;

  std::vector<std::thread> workers_;
  std::atomic<uint64_t> left_{0};
  std::atomic<int64_t> done_{0};
  std::atomic<int> sleeping_{0};
  uint64_t job_ = 0;
  int64_t tasks_ = 0;
  const void* context_ = nullptr;
  Call call_ = nullptr;
  bool stopped_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace decode
