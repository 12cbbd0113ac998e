#include "core/collective.h"

namespace galore {
namespace {

class SingleProcess : public Collective {
 public:
  int index() const override { return 0; }
  int size() const override { return 1; }
  void begin_update(const UpdateShare&) override {}
  void begin(GradientSum&) override {}
  void finish(GradientSum&) override {}
  void begin(OwnerAnswer&) override {}
  void finish(OwnerAnswer&) override {}
  std::vector<double> gather(const std::vector<double>& own) override { return own; }
  std::string text_of(int, const std::string& text) override { return text; }
  void bring_to_first(int, const at::Tensor&) override {}
};

}  // namespace

Collective& single_process() {
  static SingleProcess alone;  // this object has no state, so all threads may share it
  return alone;
}

}  // namespace galore
