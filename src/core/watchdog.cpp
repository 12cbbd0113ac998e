#include "core/watchdog.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

namespace galore {

Watchdog::Watchdog(double seconds, std::string line)
    : thread_([this, seconds, line = std::move(line)] {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return done_; })) return;
        std::fputs(("galore: " + line + "\n").c_str(), stderr);
        std::fflush(stderr);
        ::_exit(1);
      }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

}  // namespace galore
