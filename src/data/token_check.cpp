#include "data/token_check.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "core/errors.h"

namespace galore {
namespace {

constexpr int64_t kPartTokens = 1 << 16, kMostParts = 1 << 12;

struct TokenFault {
  int64_t token;  // its number in the file
  std::string text;
};

// Looks at parts of a file and remembers the first fault.
class TokenCheck {
 public:
  TokenCheck(const TokenFile& file, int64_t vocab_size) : file_(file), vocab_size_(vocab_size) {}

  void run(const std::function<void(int64_t token, int64_t label)>& take_label) {
    const int64_t parts = (file_.num_tokens() + kPartTokens - 1) / kPartTokens;
    const int64_t taken = std::min(parts, kMostParts);
    is_whole_ = taken == parts;
    for (int64_t i = 0; i < taken && !fault_; ++i) look_at(parts * i / taken * kPartTokens, take_label);
  }
  const std::optional<TokenFault>& fault() const { return fault_; }
  // Returns true if every token was looked at.
  bool is_whole() const { return is_whole_; }

 private:
  void look_at(int64_t begin, const std::function<void(int64_t, int64_t)>& take_label) {
    const int64_t count = std::min(kPartTokens, file_.num_tokens() - begin);
    ids_.resize(static_cast<size_t>(count));
    labels_.resize(ids_.size());
    file_.read(begin, count, ids_.data(), labels_.data());
    for (size_t i = 0; i < ids_.size() && !fault_; ++i) {
      const int64_t token = begin + static_cast<int64_t>(i);
      if (!is_id(ids_[i], vocab_size_))
        fault_ = {token, id_fault(ids_[i], vocab_size_)};
      else if (!is_label(labels_[i], vocab_size_))
        fault_ = {token, label_fault(labels_[i], vocab_size_)};
      else if (take_label)
        take_label(token, labels_[i]);
    }
  }

  const TokenFile& file_;
  int64_t vocab_size_;
  bool is_whole_ = true;
  std::optional<TokenFault> fault_;
  std::vector<int64_t> ids_, labels_;
};

// Counts the documents that have a label that counts, from the labels of a whole file in order.
class LabelledRows {
 public:
  LabelledRows(const TokenFile& file, int64_t max_length)
      : max_length_(max_length > 0 ? max_length : INT64_MAX),
        has_label_(static_cast<size_t>(file.num_documents())) {
    file.append_lengths(file.num_documents(), lengths_);
  }

  void take(int64_t token, int64_t label) {
    while (token >= begin_ + lengths_[row_]) begin_ += lengths_[row_++];
    const int64_t place = token - begin_;
    if (label != kIgnoredLabel && place > 0 && place < max_length_) has_label_[row_] = true;
  }
  int64_t without() const { return std::count(has_label_.begin(), has_label_.end(), false); }
  int64_t first_without() const {
    return std::find(has_label_.begin(), has_label_.end(), false) - has_label_.begin();
  }
  int64_t count() const { return static_cast<int64_t>(has_label_.size()); }

 private:
  int64_t max_length_, begin_ = 0;
  size_t row_ = 0;
  std::vector<int32_t> lengths_;
  std::vector<bool> has_label_;
};

// Returns the document that holds a token.
int64_t document_of(const TokenFile& file, int64_t token) {
  int64_t low = 0, high = file.num_documents() - 1;
  while (low < high) {
    const int64_t middle = (low + high + 1) / 2;
    if (file.document(middle).begin <= token)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

// Returns the line (or row) of the user's file that became document `index`.
int64_t line_of(const TokenOrigin& origin, int64_t index) {
  struct Found {};
  int64_t line = 0;
  const auto reader = open_documents(origin.path, origin.options);
  const auto take = [&](const Document& document) {
    line = document.line;
    if (index-- == 0) throw Found();
  };
  try {
    tokenize_documents(*reader, origin.path, origin.tokenizer, origin.options, take);
  } catch (const Found&) {
  }
  return line;
}

std::string row_name(const TokenOrigin& origin, int64_t index) {
  return fmt::format("{}:{}", origin.path.string(), line_of(origin, index));
}

std::string hint(const TokenFile& file, const Tokenizer* tokenizer, int64_t vocab_size) {
  if (tokenizer && tokenizer->vocab_size() > vocab_size)
    return fmt::format("; the tokenizer has {} tokens: resize_vocab=auto adds rows to the model's embedding",
                       tokenizer->vocab_size());
  if (file.has_documents() || file.has_header()) return "";
  return fmt::format("; the file has no llm.c header and was taken for ids of {} bytes (token_dtype)",
                     file.token_bytes());
}

[[noreturn]] void refuse(const TokenFile& file, const TokenOrigin& origin, int64_t vocab_size,
                         const TokenFault& fault) {
  const std::string text = fault.text + hint(file, origin.tokenizer, vocab_size);
  if (!file.has_documents()) fail(origin.path.string(), "token {}: {}", fault.token, text);
  fail(row_name(origin, document_of(file, fault.token)), "{}", text);
}

void tell_of_rows(const LabelledRows& rows, const TokenOrigin& origin, int64_t max_length,
                  const DataMessages& messages) {
  const int64_t without = rows.without();
  if (without == 0) return;
  const std::string where = max_length > 0 ? fmt::format(" within max_length={}", max_length) : "";
  if (without == rows.count())
    fail(origin.path.string(), "no row has a label that counts{}: nothing would be learned or measured",
         where);
  if (messages)
    messages(fmt::format("note: {} of {} rows of {} have no label that counts{}; the first: {}", without,
                         rows.count(), origin.path.string(), where, row_name(origin, rows.first_without())));
}

}  // namespace

std::string id_fault(int64_t id, int64_t vocab_size) {
  return fmt::format("expected ids from 0 to {}, given {}", vocab_size - 1, id);
}

std::string label_fault(int64_t label, int64_t vocab_size) {
  return fmt::format("expected labels from 0 to {}, or {} for tokens that are not learned, given {}",
                     vocab_size - 1, kIgnoredLabel, label);
}

void check_tokens(const TokenFile& file, const TokenOrigin& origin, const TokenLimits& limits,
                  const DataMessages& messages) {
  // The tokenizer has checked the ids of a cache.
  const bool known = file.has_documents() && !file.has_labels() && origin.tokenizer;
  if (limits.vocab_size <= 0 || (known && origin.tokenizer->vocab_size() <= limits.vocab_size)) return;
  TokenCheck check(file, limits.vocab_size);
  if (!file.has_labels()) {
    check.run({});
  } else {
    LabelledRows rows(file, limits.max_length);
    check.run([&](int64_t token, int64_t label) { rows.take(token, label); });
    if (!check.fault() && check.is_whole()) tell_of_rows(rows, origin, limits.max_length, messages);
  }
  if (check.fault()) refuse(file, origin, limits.vocab_size, *check.fault());
}

}  // namespace galore
