// Parts of the bindings of the trainer: errors, threads, and text that moves from one thread to another.
#pragma once

#include <ATen/Parallel.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/errors.h"

namespace galore::python {

// Calls `work`. torch makes a RuntimeError of every exception, so this mark tells Python of wrong usage.
template <typename Work>
auto marking_usage_errors(const Work& work) {
  try {
    return work();
  } catch (const UsageError& error) {
    throw std::runtime_error("ValueError: " + std::string(error.what()));
  }
}

// Keeps the number of threads of libtorch, which belongs to the process, as it was for the caller.
class ThreadsOfCaller {
 public:
  ThreadsOfCaller() : before_(at::get_num_threads()) {}
  ~ThreadsOfCaller() { at::set_num_threads(before_); }
  ThreadsOfCaller(const ThreadsOfCaller&) = delete;
  ThreadsOfCaller& operator=(const ThreadsOfCaller&) = delete;

 private:
  int before_;
};

// Carries texts from the thread that computes to the one that waits for them, and back the wish to stop.
class Channel {
 public:
  void put(std::string text) {
    const std::lock_guard lock(mutex_);
    texts_.push_back(std::move(text));
    arrived_.notify_one();
  }
  // Replaces the text of the last call if nobody has taken it yet.
  void put_latest(std::string text) {
    const std::lock_guard lock(mutex_);
    latest_ = std::move(text);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    arrived_.notify_one();
  }
  // Waits until a text comes, the channel is closed, or `seconds` have passed. Returns all texts so far.
  std::vector<std::string> take(double seconds) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, std::chrono::duration<double>(seconds),
                      [this] { return closed_ || !texts_.empty(); });
    if (!latest_.empty()) texts_.push_back(std::exchange(latest_, ""));
    return std::exchange(texts_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::string> texts_;
  std::string latest_;
  bool closed_ = false;
};

}  // namespace galore::python
