// A thread that works off a queue of jobs in the order in which they were given.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace galore {

// After a job that has thrown, the jobs that follow are dropped, and every waiting call throws.
class JobThread {
 public:
  using Job = std::function<void()>;
  // `translate` turns the exception of a job into the one that waiting calls throw.
  using Translate = std::function<std::exception_ptr(const std::exception& error)>;

  explicit JobThread(Translate translate);
  ~JobThread();  // drops the jobs that have not begun
  JobThread(const JobThread&) = delete;
  JobThread& operator=(const JobThread&) = delete;

  void push(Job job);
  // Waits until all jobs are done.
  void wait();
  // Waits until a job has set the flag by set().
  void wait_for(const bool& flag);
  // Sets a flag that another thread may wait for. A job calls it.
  void set(bool& flag);
  double seconds_waited() const { return seconds_; }

 private:
  void work();
  void wait_until(const std::function<bool()>& condition);

  Translate translate_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool busy_ = false, stopping_ = false;
  std::exception_ptr failure_;
  double seconds_ = 0;  // of the thread that gives the jobs
  std::thread thread_;
};

}  // namespace galore
