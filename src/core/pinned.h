// A member of this type makes a class neither copyable nor movable, and leaves an aggregate an aggregate.
#pragma once

namespace galore {

struct Pinned {
  Pinned() = default;
  ~Pinned() = default;
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
};

}  // namespace galore
