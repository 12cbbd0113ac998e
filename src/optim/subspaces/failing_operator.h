// While an object of this class exists, a tensor operation fails as LAPACK does when it does not converge. It
// is for tests.
#pragma once

#include <ATen/ATen.h>
#include <torch/library.h>

#include <tuple>

namespace galore::testing_optimizer {

enum class Fails { svd, eigh };

class FailingOperator {
 public:
  explicit FailingOperator(Fails which)
      : library_(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__) {
    if (which == Fails::svd) library_.impl("_linalg_svd", svd);
    if (which == Fails::eigh) library_.impl("_linalg_eigh", eigh);
  }

 private:
  static std::tuple<at::Tensor, at::Tensor, at::Tensor> svd(const at::Tensor&, bool, bool,
                                                            c10::optional<c10::string_view>) {
    TORCH_CHECK_LINALG(false, "the algorithm failed to converge");
  }
  static std::tuple<at::Tensor, at::Tensor> eigh(const at::Tensor&, c10::string_view, bool) {
    TORCH_CHECK_LINALG(false, "the algorithm failed to converge");
  }
  torch::Library library_;
};

}  // namespace galore::testing_optimizer
