// A collective that sends nothing.
#pragma once

#include <string>
#include <vector>

#include "core/collective.h"

namespace galore {

// Stands for the processes of a run where nothing is sent: for the only one, for one that is
// planned, and for one that a test makes. Derived classes replace the calls that they need.
class SilentCollective : public Collective {
 public:
  explicit SilentCollective(int index = 0, int size = 1) : index_(index), size_(size) {}
  int index() const override { return index_; }
  int size() const override { return size_; }
  void begin_update(const UpdateShare&) override {}
  void begin(GradientSum&) override {}
  void finish(GradientSum&) override {}
  void begin(OwnerAnswer&) override {}
  void finish(OwnerAnswer&) override {}
  std::vector<double> gather(const std::vector<double>& own) override { return own; }
  std::string text_of(int, const std::string& text) override { return text; }
  void bring_to_first(int, const at::Tensor&) override {}

 private:
  int index_, size_;
};

}  // namespace galore
