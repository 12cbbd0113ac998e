// Trains tensors of a torch program with gradients that their caller hands over. It is the engine of
// AutogradOptimizer and of the optimizers of the Python module.
//
// It follows the habits of torch's optimizers: a tensor without a gradient is left alone with its state, and
// a tensor may get another storage between two updates (module.to(), averaged weights). Every write counts in
// the tensor's version, so that autograd notices when a saved tensor has changed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "optim/optimizer.h"

namespace galore {

class TorchOptimizer {
 public:
  struct Entry {
    std::string name;
    at::Tensor tensor;
    Role role = Role::matrix;
    int64_t layer = -1;
    bool whole_products = false;  // reported by one take_product() of all tokens for each pass
  };
  // The tensors must be leaves that require a gradient, in fp32, bf16 or fp16 and all on one device; they are
  // updated in place. A tensor that is not contiguous is updated through a contiguous copy. Any other tensor
  // is an Error, and so are quantized weights (weight_bits=8) and names that occur twice.
  TorchOptimizer(const std::vector<Entry>& entries, const OptimizerOptions& options);
  ~TorchOptimizer();
  TorchOptimizer(const TorchOptimizer&) = delete;
  TorchOptimizer& operator=(const TorchOptimizer&) = delete;

  // Begins an update, and drops one that was not finished. `micro_batches` is the number of gradients of each
  // tensor, or Optimizer::kUnknownMicroBatches.
  void begin(double learning_rate, int64_t micro_batches = 1);
  // Takes the gradient of one micro-batch, which has the tensor's shape and any floating type. In layer-wise
  // mode the last one updates the tensor at once. `last` is read in updates with an unknown number of
  // micro-batches. One gradient too many is an Error.
  void take(size_t index, const at::Tensor& gradient, bool last = false);
  // Takes the factors of a linear layer's gradient (GradientSink::add_product) in place of the gradient.
  void take_product(size_t index, const at::Tensor& output_gradient, const at::Tensor& input,
                    bool last = false);
  // As take(), for several processes. If this gradient completes the sum of the update, the tensor is not
  // updated yet: the caller makes the sum, which may be projected, equal in all processes in place, and then
  // calls use(). Otherwise the result is undefined.
  at::Tensor take_sum(size_t index, const at::Tensor& gradient, bool last = false);
  void use(size_t index);
  // Returns true if the tensor still waits for a gradient of this update.
  bool waits(size_t index) const { return weights_[index]->remaining > 0; }
  // Ends an update. Gradients that are missing count as zero if another micro-batch had one; otherwise tensor
  // and state stay as they were. `discard` is that of Optimizer::finish_update().
  UpdateReport finish(bool discard = false);
  // Makes one update from the gradients that the tensors hold; they stay unchanged.
  UpdateReport step(double learning_rate = 1);

  Optimizer& optimizer() { return *optimizer_; }
  const Optimizer& optimizer() const { return *optimizer_; }
  // Returns the bytes of state and gradients by owner. The weights belong to the caller.
  const Ledger& ledger() const { return ledger_; }

 private:
  struct Weight {
    Parameter parameter;
    at::Tensor tensor, sizes_only;
    int64_t remaining = 0;  // gradients of this update that are still missing
    bool reported = false;  // a gradient came in this update
  };
  // take() without its check.
  void add(size_t index, const at::Tensor& gradient, bool last);
  void report(size_t index, bool last, const std::function<void(GradientSink&)>& add);
  // Begins a report. Returns true if it is the last one of the update, which updates the tensor in layer-wise
  // mode.
  bool expect(size_t index, bool last);
  void open(Weight& weight);
  void close(Weight& weight);

  Ledger ledger_;
  Workspace workspace_;
  std::vector<std::unique_ptr<Weight>> weights_;
  std::unique_ptr<Optimizer> optimizer_;
  bool counted_ = true;  // the number of micro-batches of this update is known
};

}  // namespace galore
