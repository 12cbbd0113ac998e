// One side of a searched basis, between refreshes.
//
//   float32, bfloat16   a tensor: 4 or 2 bytes an element
//   int8, int4          codes in groups (kernels/group_quantize.h): 1 or 1/2 byte an element and 5 a group.
//                       A group lies along a vector of a right basis and across the vectors of a left one, as
//                       in Q-GaLore's code (arXiv 2407.08296)
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "core/memory.h"
#include "core/state_visitor.h"

namespace galore {

class StoredBasis {
 public:
  virtual ~StoredBasis() = default;
  // Returns the basis, [rows, rank] in fp32, of any strides: the stored tensor itself, or a workspace buffer
  // that the next basis of this side reuses.
  virtual at::Tensor read() = 0;
  virtual void write(const at::Tensor& basis) = 0;
  virtual void visit(const std::string& name, StateVisitor& visitor) = 0;
};

struct BasisShape {
  int64_t rows, rank;
  const char* side;  // "left" or "right"; selects the workspace buffers
};

struct BasisFormat {
  std::string dtype = "float32";
  int64_t group_size = 256;  // of the codes; even
};
std::unique_ptr<StoredBasis> make_stored_basis(const BasisFormat& format, const BasisShape& shape,
                                               Workspace& workspace);
// Returns the bits of a code, or 0 for formats without codes.
int64_t code_bits(const BasisFormat& format);
// Returns the bytes of a basis with this number of elements.
int64_t basis_bytes(const BasisFormat& format, int64_t count);

// Returns the fp32 workspace buffer that bases of one side share while they are read.
at::Tensor basis_buffer(const BasisShape& shape, Workspace& workspace);

}  // namespace galore
