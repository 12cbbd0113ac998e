#include "tokenizer/vocabulary.h"

namespace galore {
namespace {

constexpr size_t kArenaBytes = 1 << 16;

}  // namespace

// Blocks do not grow beyond their reserved size, so views into them stay valid.
std::string_view Vocabulary::stored(std::string_view token) {
  if (arena_.empty() || arena_.back().capacity() - arena_.back().size() < token.size()) {
    arena_.emplace_back();
    arena_.back().reserve(std::max(kArenaBytes, token.size()));
  }
  std::string& block = arena_.back();
  block += token;
  return std::string_view(block).substr(block.size() - token.size());
}

void Vocabulary::add(std::string_view token, int32_t id) {
  token = stored(token);
  ids_[token] = id;
  if (static_cast<size_t>(id) >= tokens_.size()) tokens_.resize(static_cast<size_t>(id) + 1);
  tokens_[static_cast<size_t>(id)] = token;
  largest_id_ = std::max(largest_id_, id);
}

std::optional<std::string_view> Vocabulary::token_of(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= tokens_.size()) return std::nullopt;
  return tokens_[static_cast<size_t>(id)];
}

}  // namespace galore
