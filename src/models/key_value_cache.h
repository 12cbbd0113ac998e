// State of a sequence under generation.
#pragma once

#include <cstdint>

namespace galore {

// Keys and values of one sequence during generation.
class KeyValueCache {
 public:
  virtual ~KeyValueCache() = default;
  virtual int64_t length() const = 0;
};

}  // namespace galore
