// SLTrain (Han et al., "SLTrain: a sparse plus low-rank approach for parameter and memory efficient
// pretraining", arXiv 2406.02214): W = s B A + S, where S has values on a fixed random support. Legend: m
// outputs, n inputs, rank r, scale s = alpha / r, k values on the support.
//
//   y = x W^T + b
//   G = dY^T x;  dB = s G A^T;  dA = s B^T G;  dS = G on the support;  dx = dY W
//
// W and G exist for one layer at a time, in workspace buffers (m x n each) that all layers share. The support
// is drawn by a seed and the layer's name (sparse_support.h), so it is never saved. It is either kept as
// int32 (4 k bytes) or computed again in each pass (0 bytes, and a little slower).
//
// A and the values begin uniform on +-1/sqrt(n), and B with zero, as in the authors' code: W = S.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "adapters/adapter.h"
#include "adapters/sparse_support.h"

namespace galore {

struct SlTrainSettings {
  int64_t rank = 128;
  double scale = 1;
  double density = 0.03;      // k = floor(density m n)
  uint64_t seed = 0;          // of the support
  bool keeps_support = true;  // false: the support is computed in each pass
};

class SlTrainLinear : public AdaptedLayer {
 public:
  // Has the parameters "<place>.factor_A.weight" (r x n), "<place>.factor_B.weight" (m x r),
  // "<place>.sparse_values" (k) and, if asked for, "<place>.bias" (m), in the dtype of the model's weights.
  SlTrainLinear(const Place& place, const LinearSize& size, const SlTrainSettings& settings,
                const LayerBuilder& builder, Ledger& ledger);

  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const override;
  void input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                      Write write) const override;
  void report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) override;
  void list(ParameterList& parameters) override;
  const std::string& name() const override { return name_; }
  at::Tensor merged_weight() const override;
  void initialize(uint64_t seed) override;

 private:
  // Returns W in the pass's dtype.
  Scratch weight(const Pass& pass) const;

  std::string name_;
  SlTrainSettings settings_;
  bool inputs_first_;
  Parameter a_, b_, values_, bias_;  // bias_ has no value if there is no bias
  SparseSupport support_;
  at::Tensor positions_;  // of the support, int32; undefined if they are computed in each pass
};

}  // namespace galore
