#include "core/collective.h"

namespace galore {
namespace {

class SingleProcess : public Collective {
 public:
  int index() const override { return 0; }
  int size() const override { return 1; }
  void sum(const at::Tensor&) override {}
  void broadcast(const at::Tensor&, int) override {}
};

}  // namespace

Collective& single_process() {
  static SingleProcess alone;  // this object has no state, so all threads may share it
  return alone;
}

}  // namespace galore
