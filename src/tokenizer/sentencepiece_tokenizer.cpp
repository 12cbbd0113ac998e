#include "tokenizer/sentencepiece_tokenizer.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/errors.h"
#include "tokenizer/text_repair.h"
#include "tokenizer/tokenizer_files.h"

// The library exports this function but declares it in none of its installed headers.
namespace sentencepiece::logging {
void SetMinLogLevel(int level);  // NOLINT(readability-identifier-naming): its name there
}

namespace galore {
namespace {

constexpr uint64_t kLargestModel = 1u << 30;
constexpr int kLogNothing = 4;  // log only errors that end the program

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(const Path& model_file, TokenizerConfig config)
    : config_(std::move(config)) {
  load(model_file);
  add_special_tokens(model_file.string());
  files_ = config_.files;
  files_.insert(files_.begin(), model_file);
  fingerprint_ = combined_fingerprint(files_);
  if (!config_.files.empty()) add_tokenizer_files_in(model_file.parent_path(), files_);
}

void SentencePieceTokenizer::load(const Path& model_file) {
  const std::string where = model_file.string();
  std::string bytes = read_file(model_file, kLargestModel);
  model_ = parse_sentencepiece_model(where, bytes);
  own_prefix_ = model_.identity_normalization();
  by_words_ = own_prefix_ && model_.words_are_independent();
  add_prefix_ = config_.add_prefix_space.value_or(model_.add_dummy_prefix);
  if (own_prefix_) bytes = with_dummy_prefix(std::move(bytes), false);
  sentencepiece::logging::SetMinLogLevel(kLogNothing);
  const auto status = processor_.LoadFromSerializedProto(bytes);
  if (!status.ok())
    fail(where, "the SentencePiece library refuses the model: {}", one_line(status.ToString()));
  if (static_cast<size_t>(processor_.GetPieceSize()) != model_.pieces.size())
    fail(where, "expected {} pieces, the library found {}", model_.pieces.size(), processor_.GetPieceSize());
  vocab_size_ = processor_.GetPieceSize();
}

// Tokens that are not in the model get the next ids after it, in the order in which transformers adds them.
std::optional<int64_t> SentencePieceTokenizer::resolve(const std::optional<std::string>& token) {
  if (!token || token->empty()) return std::nullopt;
  AddedToken added{*token, true, false, false};
  for (auto& [id, known] : config_.added_tokens) {
    if (known.content != *token) continue;
    known.special = true;
    return id;
  }
  const int found = processor_.PieceToId(*token);
  const bool in_model = model_.pieces[static_cast<size_t>(found)].text == *token;
  const int64_t id = in_model ? found : vocab_size_++;
  config_.added_tokens[id] = added;
  return id;
}

void SentencePieceTokenizer::add_special_tokens(const std::string& where) {
  const int64_t highest = vocab_size_ + static_cast<int64_t>(config_.added_tokens.size());
  for (const auto& [id, token] : config_.added_tokens) {
    if (id >= highest)
      fail(where, "added token '{}': expected an id below {}, given {}", token.content, highest, id);
    vocab_size_ = std::max(vocab_size_, id + 1);
  }
  bos_id_ = resolve(config_.bos_token);
  eos_id_ = resolve(config_.eos_token);
  resolve(config_.unk_token);
  pad_id_ = resolve(config_.pad_token);
  for (const std::string& token : config_.other_special_tokens) resolve(token);
  for (const auto& [id, token] : config_.added_tokens) special_tokens_.add(static_cast<int32_t>(id), token);
  if (config_.add_bos_token && !bos_id_) fail(where, "add_bos_token is true but there is no bos_token");
  if (config_.add_eos_token && !eos_id_) fail(where, "add_eos_token is true but there is no eos_token");
}

std::vector<int32_t> SentencePieceTokenizer::encode(std::string_view text, bool add_special_tokens) const {
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 4);
  if (add_special_tokens && config_.add_bos_token) ids.push_back(static_cast<int32_t>(*bos_id_));
  const WordCaches::Lease cache(caches_);
  for (size_t position = 0; position < text.size();) {
    SpecialTokens::Match match;
    if (!config_.split_special_tokens) match = special_tokens_.find_next(text, position);
    const size_t end = match.id < 0 ? text.size() : match.begin;
    if (end > position) encode_stretch(text.substr(position, end - position), position == 0, *cache, ids);
    if (match.id >= 0) ids.push_back(match.id);
    position = match.id < 0 ? text.size() : match.end;
  }
  if (add_special_tokens && config_.add_eos_token) ids.push_back(static_cast<int32_t>(*eos_id_));
  return ids;
}

void SentencePieceTokenizer::encode_stretch(std::string_view text, bool at_start, WordCache& cache,
                                            std::vector<int32_t>& ids) const {
  if (!own_prefix_) return encode_whole(text, ids);
  const bool has_blank = text[0] == ' ' || text.starts_with(kWordStart);
  const bool prefix = add_prefix_ && (config_.legacy || (at_start && !has_blank));
  if (!by_words_) return encode_whole(prefix ? std::string(kWordStart) + std::string(text) : text, ids);
  if (!prefix) return encode_words(text, cache, ids);
  // Only the first word is copied. It ends at the first blank after a character that is not blank.
  size_t end = std::min(text.find_first_not_of(' '), text.size());
  end = std::min(text.find(' ', end), text.size());
  const std::string first = " " + std::string(text.substr(0, end));
  // If the word holds a raw word start, the blanks on both sides of the cut might be joined, so the whole
  // text is copied.
  if (text.substr(0, end).find(kWordStart) != std::string_view::npos)
    return encode_words(" " + std::string(text), cache, ids);
  encode_word(first, cache, ids);
  encode_words(text.substr(end), cache, ids);
}

// A word consists of its leading blanks and the text up to the next blank. Splitting there is exact because
// no piece of the vocabulary continues across such a place (words_are_independent).
void SentencePieceTokenizer::encode_words(std::string_view text, WordCache& cache,
                                          std::vector<int32_t>& ids) const {
  const auto end_of_word = [text](size_t from) {
    const size_t first = std::min(text.find_first_not_of(' ', from), text.size());
    return std::min(text.find(' ', first), text.size());
  };
  for (size_t begin = 0; begin < text.size();) {
    size_t end = end_of_word(begin);
    // A word start written in the text counts as a blank, so we do not cut between it and the next blank.
    while (end < text.size() && text.substr(0, end).ends_with(kWordStart)) end = end_of_word(end);
    encode_word(text.substr(begin, end - begin), cache, ids);
    begin = end;
  }
}

void SentencePieceTokenizer::encode_word(std::string_view word, WordCache& cache,
                                         std::vector<int32_t>& ids) const {
  if (cache.append(word, ids)) return;
  const size_t before = ids.size();
  encode_whole(word, ids);
  cache.insert(word, std::span<const int32_t>(ids).subspan(before));
}

void SentencePieceTokenizer::encode_whole(std::string_view text, std::vector<int32_t>& ids) const {
  std::vector<int> found;
  const auto status = processor_.Encode(absl::string_view(text.data(), text.size()), &found);
  if (!status.ok()) fail("tokenizer", "SentencePiece cannot encode a text: {}", one_line(status.ToString()));
  ids.insert(ids.end(), found.begin(), found.end());
}

std::string_view SentencePieceTokenizer::piece(int32_t id) const {
  if (id < 0 || id >= vocab_size_)
    fail("tokenizer", "decode: expected ids from 0 to {}, given {}", vocab_size_ - 1, id);
  const auto index = static_cast<size_t>(id);
  return index < model_.pieces.size() ? std::string_view(model_.pieces[index].text) : std::string_view();
}

std::string SentencePieceTokenizer::decode(const std::vector<int32_t>& ids, bool skip_special) const {
  std::string text, bytes;
  for (const int32_t id : ids) {
    const std::string_view text_of_id = piece(id);
    const AddedToken* added = special_tokens_.find(id);
    if (added && added->special && skip_special) continue;
    const auto index = static_cast<size_t>(id);
    if (!added && index < model_.pieces.size() && model_.pieces[index].type == PieceType::byte) {
      bytes += static_cast<char>(std::strtol(std::string(text_of_id.substr(3, 2)).c_str(), nullptr, 16));
      continue;
    }
    text += repaired_bytes(bytes);
    bytes.clear();
    text += added ? added->content : replace_all(std::string(text_of_id), kWordStart, " ");
  }
  text += repaired_bytes(bytes);
  if (add_prefix_ && text.starts_with(' ')) text.erase(0, 1);
  return config_.clean_up_spaces ? clean_up_spaces(std::move(text)) : text;
}

}  // namespace galore
