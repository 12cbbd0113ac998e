// Ends the program when a step takes too long that nothing can interrupt.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace galore {

class Watchdog {
 public:
  // If the object lives longer than `seconds`, `line` goes to stderr and the program ends with status 1.
  Watchdog(double seconds, std::string line);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace galore
