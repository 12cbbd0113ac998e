// Writes the state of several processes into one file, which is that of one process with all of it.
//
// Every process visits its part, and they tell each other the names and sizes of what each one owns. Then the
// first process writes the file, and the owners send their tensors one by one in the order of the file. It
// needs memory for the largest of these tensors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/state_files.h"
#include "core/collective.h"

namespace galore {

class GatheredState : public StateWriter {
 public:
  explicit GatheredState(Collective& collective) : collective_(collective) {}
  // A collective of one process cannot get the state of others, which is an Error.
  bool owned(const std::string& prefix, int owner, bool is_here) override;
  // All processes must call it after the visit.
  void meet();
  // All processes must call it, the first one after it has tried to write the file. The others send what it
  // asks for, and it takes what is left if it could not write everything.
  void serve();

 private:
  struct Hole {
    size_t place;  // in the list of tensors
    std::string prefix;
    int owner;
  };
  struct Remote {
    std::string prefix;
    int owner;
    TensorToWrite tensor;
  };
  std::string own_list() const;
  std::vector<Remote> all_lists() const;
  // Sends or receives the next tensor in the order of the file.
  at::Tensor bring_next();

  Collective& collective_;
  std::vector<std::string> own_;  // prefixes
  std::vector<Hole> holes_;
  std::vector<Remote> remote_;  // tensors that the first process does not have, in the order of the file
  size_t next_ = 0;
};

}  // namespace galore
