// A class with a member of this type can be neither copied nor moved. An aggregate stays an aggregate.
#pragma once

namespace galore {

struct Pinned {
  Pinned() = default;
  ~Pinned() = default;
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
};

}  // namespace galore
