// Limits of a template. Templates come with downloaded models, so they may be hostile: no template can run
// without end, fill the memory or overflow the stack.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace galore::jinja {

// An error of a template or of its data. The line is 0 until the statement that holds it is known.
class Fault : public std::runtime_error {
 public:
  explicit Fault(const std::string& message, int at = 0) : std::runtime_error(message), line(at) {}
  int line;
};

template <typename... Args>
[[noreturn]] void raise(fmt::format_string<Args...> format, Args&&... args) {
  throw Fault(fmt::format(format, std::forward<Args>(args)...));
}

struct Limits {
  int64_t steps = 20'000'000;               // evaluated expressions and visited items
  int64_t bytes = int64_t{512} << 20;       // all values that the template makes, freed ones included
  int depth = 1500;                         // nested evaluations, calls of macros included
  int value_depth = 200;                    // lists and dicts within each other
  size_t template_bytes = size_t{1} << 20;  // the source
};

// Counts what one rendering uses.
class Budget {
 public:
  explicit Budget(const Limits& limits = {}) : limits_(limits) {}
  const Limits& limits() const { return limits_; }

  void step(int64_t count = 1) {
    steps_ += count;
    if (steps_ > limits_.steps) raise("the template does not end within {} steps", limits_.steps);
  }
  void take(size_t bytes) {
    bytes_ += static_cast<int64_t>(bytes);
    if (bytes_ > limits_.bytes || bytes_ < 0)
      raise("the template makes more than {} MiB of values", limits_.bytes >> 20);
  }
  void check_depth(int depth) const {
    if (depth > limits_.value_depth) raise("values are nested deeper than {} levels", limits_.value_depth);
  }
  // Counts nested evaluations while it lives.
  class Level {
   public:
    explicit Level(Budget& budget) : budget_(budget) {
      if (++budget_.level_ <= budget_.limits_.depth) return;
      --budget_.level_;
      raise("evaluations are nested deeper than {} levels", budget_.limits_.depth);
    }
    ~Level() { --budget_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Budget& budget_;
  };

 private:
  Limits limits_;
  int64_t steps_ = 0, bytes_ = 0;
  int level_ = 0;
};

}  // namespace galore::jinja
