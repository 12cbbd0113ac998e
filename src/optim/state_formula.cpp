#include "optim/state_formula.h"

#include <fmt/format.h>

#include "core/errors.h"
#include "core/options.h"
#include "optim/subspaces/basis_kind.h"

namespace galore {
namespace {

bool in_8_bit(const StateTensor& tensor, const StorageOptions& storage) {
  return tensor.kind == StateTensor::Kind::moment && storage.storage == "blockwise_8bit";
}

// Coefficients by product, in the order of their first occurrence.
using Terms = std::vector<std::pair<std::string, int64_t>>;

void add_term(Terms& terms, const std::string& elements, int64_t coefficient) {
  for (auto& [known, sum] : terms)
    if (known == elements) return void(sum += coefficient);
  terms.emplace_back(elements, coefficient);
}

std::string text_of(const Terms& terms) {
  std::string text;
  for (const auto& [elements, coefficient] : terms)
    text += fmt::format("{}{}{}", text.empty() ? "" : " + ", coefficient, elements);
  return text.empty() ? "0" : text;
}

int64_t product(const std::string& elements, const StateSizes& sizes) {
  int64_t count = 1;
  for (const char letter : elements) {
    GALORE_ASSERT(letter == 'm' || letter == 'n' || letter == 'r');
    count *= letter == 'm' ? sizes.m : letter == 'n' ? sizes.n : sizes.r;
  }
  return count;
}

// Returns the text for the bytes of a quantized basis and of the vector for lazy refreshes, or "" for other
// formats.
std::string coded_basis_text(const std::string& elements, const SubspaceOptions& subspace) {
  const int64_t bits = code_bits(subspace.basis_format());
  if (bits == 0) return "";
  return fmt::format("{}{} + 5 ceil({} / proj_group_size)", elements, bits == 4 ? " / 2" : "", elements);
}

bool keeps(const SubspaceOptions& subspace, BasisTraits::Kept kept) {
  return basis_kind(subspace.subspace).traits.kept == kept;
}

int64_t bytes_of_basis(int64_t count, const StateSizes& sizes) {
  if (keeps(sizes.subspace, BasisTraits::Kept::nothing)) return 0;
  if (keeps(sizes.subspace, BasisTraits::Kept::column_numbers)) return 4 * sizes.r;
  const bool lazy = sizes.subspace.lazy.cos_threshold > 0;
  return basis_bytes(sizes.subspace.basis_format(), count) + (lazy ? 4 * sizes.m : 0);
}

// Evaluates a condition such as "momentum", "proj=svd" or "density<1". It is false if there is no such
// option.
bool holds(const std::string& condition, const OptionText& option) {
  const size_t at = condition.find_first_of("=<");
  const std::string name = condition.substr(0, at), text = option(name);
  if (at == std::string::npos) return !text.empty() && parse_number("state", name, text) > 0;
  const std::string wanted = condition.substr(at + 1);
  if (condition[at] == '=') return text == wanted;
  return parse_number("state", name, text) < parse_number("state", name, wanted);
}

int64_t count_of(const StateTensor& tensor, const StateSizes& sizes, const OptionText& option) {
  return tensor.count ? tensor.count(sizes, option) : product(tensor.elements, sizes);
}

}  // namespace

std::string state_formula(const std::vector<StateTensor>& tensors, const StorageOptions& storage,
                          const SubspaceOptions& subspace) {
  Terms always, scales, small;
  std::string more, in_codes;
  int64_t num_scalars = 0;
  for (const StateTensor& tensor : tensors) {
    const bool coded = in_8_bit(tensor, storage);
    if (tensor.kind == StateTensor::Kind::scalar) {
      ++num_scalars;
      continue;
    }
    if (!tensor.needs.empty()) {
      GALORE_ASSERT(!coded);
      more += fmt::format(", 4{} more with {}", tensor.elements, tensor.needs);
      continue;
    }
    if (tensor.kind == StateTensor::Kind::basis && keeps(subspace, BasisTraits::Kept::nothing)) {
      more += fmt::format(", 4{} more unless subspace=random", tensor.elements);
      continue;
    }
    if (tensor.kind == StateTensor::Kind::basis) {
      if (subspace.lazy.cos_threshold > 0) add_term(always, "m", 4);
      in_codes += coded_basis_text(tensor.elements, subspace);
      if (!in_codes.empty()) continue;
    }
    add_term(always, tensor.elements, coded ? 1 : 4);
    if (coded) add_term(scales, "ceil(" + tensor.elements + " / block_size)", 4);
    if (coded) add_term(small, tensor.elements, 4);
  }
  for (const auto& [elements, coefficient] : scales) always.emplace_back(" " + elements, coefficient);
  std::string text = in_codes + (in_codes.empty() ? "" : " + ") + text_of(always) + " bytes";
  for (const auto& [elements, coefficient] : small)
    text += fmt::format(" ({}{} for the moments where {} < min_8bit_size)", coefficient, elements, elements);
  if (num_scalars > 0) text += fmt::format(" and {} number{}", num_scalars, num_scalars > 1 ? "s" : "");
  return text + more;
}

int64_t state_bytes(const std::vector<StateTensor>& tensors, const StateSizes& sizes,
                    const OptionText& option) {
  int64_t bytes = 0;
  for (const StateTensor& tensor : tensors) {
    if (tensor.kind == StateTensor::Kind::scalar) continue;
    if (!tensor.needs.empty() && !holds(tensor.needs, option)) continue;
    const int64_t count = count_of(tensor, sizes, option);
    if (tensor.kind == StateTensor::Kind::moment) bytes += moment_bytes(sizes.storage, count);
    if (tensor.kind == StateTensor::Kind::basis) bytes += bytes_of_basis(count, sizes);
    if (tensor.kind == StateTensor::Kind::float32) bytes += 4 * count;
  }
  return bytes;
}

}  // namespace galore
