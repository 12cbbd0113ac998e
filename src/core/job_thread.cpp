#include "core/job_thread.h"

#include <utility>

#include "core/clock.h"

namespace galore {

JobThread::JobThread(Translate translate) : translate_(std::move(translate)), thread_([this] { work(); }) {}

JobThread::~JobThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void JobThread::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    busy_ = false;
    changed_.notify_all();
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    busy_ = true;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    if (failure_) continue;
    lock.unlock();
    std::exception_ptr failure;
    try {
      job();
    } catch (const std::exception& error) {
      failure = translate_(error);
    }
    lock.lock();
    failure_ = failure;
  }
}

void JobThread::push(Job job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

void JobThread::wait() {
  wait_until([this] { return jobs_.empty() && !busy_; });
}

void JobThread::wait_for(const bool& flag) {
  wait_until([&] { return flag; });
}

void JobThread::set(bool& flag) {
  const std::lock_guard lock(mutex_);
  flag = true;
  changed_.notify_all();
}

void JobThread::wait_until(const std::function<bool()>& condition) {
  const double start = steady_seconds();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || condition(); });
  seconds_ += steady_seconds() - start;
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace galore
