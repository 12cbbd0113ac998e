#include "data/token_dataset.h"

#include <algorithm>

#include "core/errors.h"
#include "core/fnv1a.h"
#include "data/batch_source.h"

namespace galore {
namespace {

// Returns the file that holds item `index`, given the first item of each file.
size_t owner_of(const std::vector<int64_t>& firsts, int64_t index) {
  return static_cast<size_t>(std::upper_bound(firsts.begin(), firsts.end(), index) - firsts.begin()) - 1;
}

void note_kind(FileKinds& kinds, const TokenFile& file, const Path& path) {
  if (file.num_tokens() == 0) return;
  std::string& documents = file.has_labels() ? kinds.with_labels : kinds.without_labels;
  std::string& first = file.has_documents() ? documents : kinds.tokens;
  if (first.empty()) first = path.string();
}

}  // namespace

TokenDataset::TokenDataset(const DatasetOptions& options, const Tokenizer* tokenizer,
                           const DataMessages& messages) {
  const Path folder = options.cache_folder.empty() ? default_cache_folder() : options.cache_folder;
  for (const std::string& pattern : options.files)
    for (const Path& path : expand_glob(pattern)) {
      files_.push_back(path.extension() == ".bin"
                           ? TokenFile::open_shard(path, options.token_dtype)
                           : open_or_build_cache(path, tokenizer, options.tokenization, folder, messages));
      check_tokens(*files_.back(), {path, tokenizer, options.tokenization}, options.limits, messages);
      first_token_.push_back(first_token_.back() + files_.back()->num_tokens());
      first_document_.push_back(first_document_.back() + files_.back()->num_documents());
      has_documents_ = has_documents_ && files_.back()->has_documents();
      note_kind(kinds_, *files_.back(), path);
      if (files_.size() == 1) first_name_ = path.string();
    }
  if (files_.empty()) fail("data", "expected at least one data file, given none");
  if (num_tokens() == 0) fail("data", "{} holds no tokens", options.files.front());
}

std::string TokenDataset::name() const {
  return files_.size() == 1 ? first_name_ : fmt::format("{} and {} more", first_name_, files_.size() - 1);
}

TokenRange TokenDataset::document(int64_t index) const {
  GALORE_ASSERT(has_documents_ && index >= 0 && index < num_documents());
  const size_t owner = owner_of(first_document_, index);
  TokenRange range = files_[owner]->document(index - first_document_[owner]);
  range.begin += first_token_[owner];
  return range;
}

std::vector<int32_t> TokenDataset::document_lengths(int64_t count) const {
  GALORE_ASSERT(has_documents_ && count >= 0 && count <= num_documents());
  std::vector<int32_t> lengths;
  lengths.reserve(static_cast<size_t>(count));
  for (const auto& file : files_) {
    const auto missing = count - static_cast<int64_t>(lengths.size());
    file->append_lengths(std::min(missing, file->num_documents()), lengths);
  }
  return lengths;
}

void TokenDataset::read(int64_t begin, int64_t count, int64_t* ids, int64_t* labels,
                        int64_t vocab_size) const {
  GALORE_ASSERT(begin >= 0 && count >= 0 && begin + count <= num_tokens());
  while (count > 0) {
    const size_t owner = owner_of(first_token_, begin);
    const int64_t now = std::min(count, first_token_[owner + 1] - begin);
    const TokenRange taken{begin - first_token_[owner], now};
    files_[owner]->read(taken.begin, now, ids, labels);
    for (int64_t i = 0; vocab_size > 0 && i < now; ++i)
      if (ids[i] >= vocab_size || labels[i] >= vocab_size || (labels[i] < 0 && labels[i] != kIgnoredLabel))
        fail(files_[owner]->path().string(), "token {}: expected an id below {}, given {} (label {})",
             taken.begin + i, vocab_size, ids[i], labels[i]);
    begin += now, count -= now, ids += now, labels += now;
  }
}

int64_t TokenDataset::fingerprint() const {
  constexpr int64_t kPart = 1 << 18, kMostParts = 256, kDocuments = 4096;
  uint64_t hash = fnv1a(fmt::format("{} {}", num_tokens(), has_documents_ ? num_documents() : 0));
  const auto add = [&](int64_t number) { hash = (hash ^ static_cast<uint64_t>(number)) * kFnv1aPrime; };
  std::vector<int64_t> ids(kPart), labels(kPart);
  const int64_t parts = std::min(kMostParts, (num_tokens() + kPart - 1) / kPart);
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = num_tokens() <= kPart * kMostParts ? kPart * part : num_tokens() / parts * part;
    const int64_t count = std::min(kPart, num_tokens() - begin);
    read(begin, count, ids.data(), labels.data());
    for (int64_t i = 0; i < count; ++i) add(ids[static_cast<size_t>(i)]), add(labels[static_cast<size_t>(i)]);
  }
  if (!has_documents_) return positive_hash(hash);
  const int64_t stride = std::max<int64_t>(1, num_documents() / kDocuments);
  for (int64_t i = 0; i < num_documents(); i += stride) add(document(i).begin);
  return positive_hash(hash);
}

}  // namespace galore
