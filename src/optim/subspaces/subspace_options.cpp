#include "optim/subspaces/subspace_options.h"

#include <map>

#include "core/errors.h"
#include "optim/subspaces/basis_kind.h"

namespace galore {

Side side_of(const std::string& proj_type, int64_t m, int64_t n) {
  if (proj_type == "full") return Side::both;
  if (proj_type == "right") return Side::right;
  if (proj_type == "left") return Side::left;
  return (m >= n) == (proj_type == "std") ? Side::right : Side::left;
}

void declare_options(OptionTable& table, SubspaceOptions& options) {
  table.add("rank", &options.rank, "dimension of the subspace").range(1, 1e9).alias("galore_rank");
  table.add("update_proj_gap", &options.update_proj_gap, "updates between refreshes of the basis")
      .range(1, 1e15)
      .alias("galore_update_interval");
  table.add("proj_type", &options.proj_type, "which side of the gradient is projected")
      .choices({"std", "reverse_std", "left", "right", "full"})
      .alias("galore_proj_type");
  table.add("subspace", &options.subspace, "how the basis is found")
      .choices(subspace_names())
      .alias("proj");  // APOLLO's name, with the values random and svd
  table
      .add("refresh", &options.refresh,
           "when bases are refreshed: together every update_proj_gap updates, or staggered over them; auto: "
           "staggered for subspace=warm")
      .choices({"auto", "together", "staggered"});
  table
      .add("signs", &options.signs,
           "signs of basis vectors: aligned with the old ones, or as LAPACK leaves them")
      .choices({"aligned", "lapack"});
  table
      .add("oversampling", &options.oversampling,
           "columns of random numbers beside the old basis in a search by iteration")
      .range(0, 1e6);
  table.add("rotate", &options.rotate, "turn what an iteration finds into singular directions");
  table.add("moment_transport", &options.moment_transport,
            "turn the moments into the new basis at a refresh, as LDAdam does");
  if (options.proj_bits > 0) {
    table.add("proj_bits", &options.proj_bits, "bits of a number of the basis; 4 and 8 are codes")
        .choices({"4", "8", "16", "32"});
  } else {
    table.add("basis_dtype", &options.basis_dtype, "number format the basis is kept in")
        .choices({"float32", "bfloat16", "int8", "int4"});
  }
  table.add("proj_group_size", &options.proj_group_size, "numbers of a basis in codes that share a scale")
      .range(2, 65536);
  declare_options(table, options.lazy);
}

BasisFormat SubspaceOptions::basis_format() const {
  static const std::map<int64_t, const char*> names{
      {4, "int4"}, {8, "int8"}, {16, "bfloat16"}, {32, "float32"}};
  if (proj_group_size % 2 != 0)
    fail_usage("proj_group_size", "expected an even number, given {}", proj_group_size);
  return {proj_bits > 0 ? names.at(proj_bits) : basis_dtype, proj_group_size};
}

bool SubspaceOptions::staggered() const {
  return refresh == "staggered" || (refresh == "auto" && basis_kind(subspace).traits.staggers);
}

}  // namespace galore
