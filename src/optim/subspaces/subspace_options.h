// The options of a subspace and the side of a gradient that it projects.
#pragma once

#include <cstdint>
#include <string>

#include "core/options.h"
#include "optim/subspaces/lazy_schedule.h"
#include "optim/subspaces/stored_basis.h"

namespace galore {

struct SubspaceOptions {
  int64_t rank = 128;
  int64_t update_proj_gap = 200;
  std::string proj_type = "std";
  std::string subspace = "warm";  // a name in the table of basis_kind.h
  std::string refresh = "auto";
  std::string signs = "aligned";
  std::string basis_dtype = "float32";
  int64_t proj_bits = 0;  // above 0: replaces basis_dtype, as Q-GaLore's option of this name does
  int64_t proj_group_size = 256;
  LazyOptions lazy = {};
  int64_t oversampling = 16;
  bool rotate = true;
  bool moment_transport = false;

  BasisFormat basis_format() const;
  // Returns true if refreshes are spread over the gap, so that no update refreshes all bases.
  bool staggered() const;
};
void declare_options(OptionTable& table, SubspaceOptions& options);

// The side of the gradient on which the basis is multiplied: right (a basis of the row space), left, or both.
enum class Side { right, left, both };
// The side of an m x n gradient by the option proj_type (GaLore, arXiv 2403.03507, and its code):
//
//   proj_type     m >= n   m < n
//   std           right    left      the long side stays in the moments
//   reverse_std   left     right
//   right, left   that side always
//   full          both
Side side_of(const std::string& proj_type, int64_t m, int64_t n);

}  // namespace galore
