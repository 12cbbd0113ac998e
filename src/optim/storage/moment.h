// Where a moment lives between steps. A rule sees fp32; the storage decides what is kept.
//
//   float32         4 bytes an element
//   blockwise_8bit  1 + 4/block_size bytes an element (kernels/blockwise_8bit.h); tensors of fewer than
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

class Moment {
 public:
  virtual ~Moment() = default;
  // fp32, of the moment's shape: the stored tensor itself for float32, else a decoded copy.
  virtual at::Tensor read() = 0;
  virtual void write(const at::Tensor& value) = 0;
  virtual void clear() = 0;  // to zero
  virtual void visit(const std::string& name, StateVisitor& visitor) = 0;
  // For fused kernels: the codes of an 8-bit moment, else null.
  virtual kernels::Codes8* codes() { return nullptr; }
};

// A zero moment of `shape`. `is_signed`: false for squares.
std::unique_ptr<Moment> make_moment(const StorageOptions& options, at::IntArrayRef shape, bool is_signed,
                                    Ledger& ledger);
// Bytes it takes, by the formula above; tests compare it with what the ledger counted.
int64_t moment_bytes(const StorageOptions& options, int64_t count);

}  // namespace galore
