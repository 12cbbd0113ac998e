// Stores a moment between steps. Rules see fp32; the storage decides the format that is kept.
//
//   float32         4 bytes for each element
//   blockwise_8bit  1 + 4/block_size bytes for each element (kernels/blockwise_8bit.h); tensors of fewer than
//                   min_8bit_size elements stay float32
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "core/memory.h"
#include "core/options.h"
#include "core/state_visitor.h"
#include "kernels/blockwise_8bit.h"

namespace galore {

struct StorageOptions {
  std::string storage = "float32";
  int64_t block_size = 256;
  int64_t min_8bit_size = 4096;
};
void declare_options(OptionTable& table, StorageOptions& options);

// read() returns the stored tensor itself for float32, and a decoded copy for 8 bits.
class Moment : public StoredAverage {
 public:
  virtual void visit(const std::string& name, StateVisitor& visitor) = 0;
  // Returns the codes of an 8-bit moment for fused kernels, and null for float32.
  virtual kernels::Codes8* codes() { return nullptr; }
};

// Visits an average that a rule keeps in a plain fp32 tensor.
void visit_average(const std::string& name, at::Tensor& average, StateVisitor& visitor);

// Makes a moment of zeros. `is_signed` is false for squares.
std::unique_ptr<Moment> make_moment(const StorageOptions& options, at::IntArrayRef shape, bool is_signed,
                                    Ledger& ledger);
// Returns the moment's bytes by the formula above. Tests compare them with the bytes that the ledger counts.
int64_t moment_bytes(const StorageOptions& options, int64_t count);

}  // namespace galore
