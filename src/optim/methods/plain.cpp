#include "core/errors.h"
#include "optim/methods/method.h"

namespace galore {
namespace {

class Plain : public Method {
 public:
  explicit Plain(std::unique_ptr<UpdateRule> rule) : rule_(std::move(rule)) {}
  Direction direction(at::Tensor gradient, const StepContext& context) override {
    return {.dense = rule_->direction(std::move(gradient), context.step), .left = {}, .right = {}};
  }
  std::optional<kernels::AdamDirection> deferred_direction(const at::Tensor& gradient,
                                                           int64_t step) override {
    return rule_->deferred_direction(gradient, step);
  }
  void visit(StateVisitor& visitor) override { rule_->visit(visitor); }

 private:
  std::unique_ptr<UpdateRule> rule_;
};

}  // namespace

Direction Method::direction_of_low_rank(at::Tensor, const StepContext&) {
  GALORE_ASSERT(!"this method reads the full gradient");
  return {};
}

std::string Method::refresh(const GradientOperator&, const RandomStream&, int64_t) {
  GALORE_ASSERT(!"this method has no basis");
  return "";
}

std::unique_ptr<Method> make_plain(std::unique_ptr<UpdateRule> rule) {
  return std::make_unique<Plain>(std::move(rule));
}

}  // namespace galore
