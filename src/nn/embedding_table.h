// A table of rows that indices choose, such as one row per token. A LayerBuilder decides which kind of table
// stands at a place. Legend: T indices, n features.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/parameter.h"
#include "nn/pass.h"

namespace galore {

class LayerBuilder;
struct Place;

struct TableSize {
  int64_t rows, features;
  std::optional<int64_t> frozen_row = std::nullopt;  // this row gets no gradient
};

class EmbeddingTable {
 public:
  virtual ~EmbeddingTable() = default;
  // Computes out (T x n), the rows of `indices` (T, int64).
  virtual void forward(const Pass& pass, const at::Tensor& indices, const at::Tensor& out) const = 0;
  // Hands the gradients of the table's parameters to their sinks, given the gradient of forward()'s result.
  // The gradients of the frozen row are set to zero.
  virtual void report_gradient(const Pass& pass, const at::Tensor& indices, const at::Tensor& gradient) = 0;
  virtual void list(ParameterList& parameters) = 0;
  // Returns the stored table (rows x n). A tied head shares this parameter, and nothing that is added to it.
  virtual Parameter& stored() = 0;
  // Returns the table that a plain model directory holds. It is the layer's own tensor or a new one.
  virtual at::Tensor merged_weight() const = 0;
  // Returns the name of the table's place.
  virtual const std::string& name() const = 0;
};

using TablePointer = std::unique_ptr<EmbeddingTable>;

// A plain table, the parameter "<place>.weight".
class StoredTable : public EmbeddingTable {
 public:
  StoredTable(const Place& place, const TableSize& size, const LayerBuilder& builder);

  void forward(const Pass& pass, const at::Tensor& indices, const at::Tensor& out) const override;
  void report_gradient(const Pass& pass, const at::Tensor& indices, const at::Tensor& gradient) override;
  void list(ParameterList& parameters) override { parameters.push_back(&rows_); }
  Parameter& stored() override { return rows_; }
  at::Tensor merged_weight() const override { return rows_.value; }
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  std::optional<int64_t> frozen_row_;
  Parameter rows_;
};

// Sets the rows of `gradient` (T x n) to zero that belong to the frozen row.
void clear_frozen_gradient(std::optional<int64_t> frozen_row, const at::Tensor& indices,
                           const at::Tensor& gradient);

}  // namespace galore
