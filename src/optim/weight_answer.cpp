#include "optim/weight_answer.h"

#include <ATen/ATen.h>

#include <bit>
#include <cstring>

#include "core/errors.h"
#include "optim/weight_state.h"

namespace galore {
namespace {

// Lists the tensors of a basis and its schedule, and its numbers as 64 bits each.
class BasisLister : public StateVisitor {
 public:
  void tensor(const std::string&, at::Tensor& tensor) override { tensors.push_back(tensor); }
  void scalar(const std::string&, int64_t& value) override { numbers.push_back(value); }
  void scalar(const std::string&, double& value) override {
    numbers.push_back(std::bit_cast<int64_t>(value));
  }
  std::vector<at::Tensor> tensors;
  std::vector<int64_t> numbers;
};

// Sets the numbers of a basis, and its tensors unless the list of them is empty. In a memory plan nothing is
// received, but the basis counts as known.
class BasisSetter : public StateVisitor {
 public:
  BasisSetter(const at::Tensor& numbers, const std::vector<at::Tensor>& tensors, bool counting)
      : number_(numbers.const_data_ptr<int64_t>()), tensors_(tensors), counting_(counting) {}
  void tensor(const std::string&, at::Tensor& tensor) override {
    if (!tensors_.empty()) tensor.copy_(tensors_[next_++]);
  }
  void scalar(const std::string& name, int64_t& value) override {
    value = *number_++;
    if (counting_ && name == "basis_established") value = 1;
  }
  void scalar(const std::string&, double& value) override { value = std::bit_cast<double>(*number_++); }

 private:
  const int64_t* number_;
  const std::vector<at::Tensor>& tensors_;
  bool counting_;
  size_t next_ = 0;
};

}  // namespace

void WeightAnswer::add(const at::Tensor& tensor) {
  GALORE_ASSERT(tensor.is_contiguous());
  bytes_.parts.push_back(tensor.view({-1}).view(at::kByte));
}

void WeightAnswer::prepare(const WeightState& weight, const UpdateFacts& facts, const at::Tensor& low_rank) {
  reset();
  bytes_.owner = weight.place.owner;
  facts_ = at::empty({static_cast<int64_t>(sizeof facts)}, at::kByte);
  std::memcpy(facts_.mutable_data_ptr(), &facts, sizeof facts);
  add(facts_);
  if (weight.place.answer == StatePlace::Answer::value) return add_value(weight);
  if (weight.refresh_due) add_basis(weight);
  const Parameter& parameter = weight.parameter;
  const at::Device device = (parameter.codes ? parameter.codes->codes : parameter.value).device();
  low_rank_ = low_rank.defined()
                  ? low_rank.contiguous()
                  : at::empty(weight.subspace()->low_rank_shape(), at::dtype(at::kFloat).device(device));
  add(low_rank_);
}

void WeightAnswer::add_value(const WeightState& weight) {
  const Parameter& parameter = weight.parameter;
  if (!parameter.codes) return add(parameter.value);
  for (const at::Tensor& part : {parameter.codes->codes, parameter.codes->scales, parameter.codes->zeros})
    add(part);
}

// The others receive a basis into its place, unless directions by the old basis must be folded before.
void WeightAnswer::add_basis(const WeightState& weight) {
  BasisLister lister;
  weight.subspace()->visit(lister);
  numbers_ = at::tensor(lister.numbers, at::kLong);
  add(numbers_);
  for (const at::Tensor& tensor : lister.tensors) {
    if (weight.lazy && !weight.place.is_here) kept_.push_back(at::empty_like(tensor));
    add(kept_.empty() ? tensor : kept_.back());
  }
}

UpdateFacts WeightAnswer::facts() const {
  UpdateFacts facts;
  std::memcpy(&facts, facts_.const_data_ptr(), sizeof facts);
  return facts;
}

void WeightAnswer::take_basis(Subspace& subspace) const {
  BasisSetter setter(numbers_, kept_, low_rank_.is_meta());
  subspace.visit(setter);
}

}  // namespace galore
