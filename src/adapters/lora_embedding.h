// A table of embeddings with the factors of LoRA, as PEFT has them: the row of index t is
// W[t] + s (B A)[:, t]. With DoRA, each feature of the rows is then multiplied by magnitude / norm, where the
// norm is that of the feature over all rows. The norm counts as a constant in the backward pass. Legend: T
// indices, V rows, n features, rank r, scale s.
//
// A begins with zeros and B with normal numbers. Dropout does not touch embeddings.
#pragma once

#include <string>

#include "adapters/adapter.h"
#include "adapters/lora_factors.h"

namespace galore {

class LoraEmbedding : public AdaptedTable {
 public:
  // Has the parameters "<place>.lora_embedding_A" (r x V), "<place>.lora_embedding_B" (n x r) and with
  // `use_dora` "<place>.lora_magnitude_vector" (n), in fp32.
  LoraEmbedding(const Place& place, const TableSize& size, const LoraSettings& settings, bool use_dora,
                const LayerBuilder& inner, Ledger& ledger);

  void forward(const Pass& pass, const at::Tensor& indices, const at::Tensor& out) const override;
  void report_gradient(const Pass& pass, const at::Tensor& indices, const at::Tensor& gradient) override;
  void list(ParameterList& parameters) override;
  Parameter& stored() override { return base_->stored(); }
  at::Tensor merged_weight() const override;
  const std::string& name() const override { return base_->name(); }
  void initialize(uint64_t seed) override;

 private:
  bool has_magnitude() const { return magnitude_.value.defined(); }
  // Returns s times the columns of A that `indices` choose, as rows (T x r).
  Scratch thin_rows(const Pass& pass, const at::Tensor& indices) const;
  // Computes out (T x n), the rows before they are multiplied by magnitude / norm.
  void directions(const Pass& pass, const at::Tensor& indices, const at::Tensor& out) const;
  // Returns the norm of each feature of W + s (B A)^T (n).
  at::Tensor norms() const;
  void report_factors(const Pass& pass, const at::Tensor& indices, const at::Tensor& gradient);
  void report_magnitude(const Pass& pass, const at::Tensor& indices, const at::Tensor& gradient,
                        const at::Tensor& norms);

  std::optional<int64_t> frozen_row_;
  LoraSettings settings_;
  TablePointer base_;
  Parameter a_, b_, magnitude_;  // magnitude_ has no value without DoRA
};

}  // namespace galore
