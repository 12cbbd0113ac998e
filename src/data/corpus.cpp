#include "data/corpus.h"

#include <algorithm>

#include "core/errors.h"
#include "core/fnv1a.h"
#include "data/sampled_hash.h"

namespace galore {
namespace {

bool is_token_file(const Path& path) { return path.extension() == ".bin"; }

class TokenParts : public DocumentReader {
 public:
  TokenParts(std::unique_ptr<TokenFile> file, int64_t part_tokens, const TextPlace& begin)
      : file_(std::move(file)), part_tokens_(part_tokens), position_(begin.offset), part_(begin.line) {
    if (position_ > file_->num_tokens())
      fail(file_->path().string(), "expected at least {} tokens, the file has {}", position_,
           file_->num_tokens());
  }

  bool next(Document& document) override {
    document.clear();
    const int64_t count = std::min(part_tokens_, file_->num_tokens() - position_);
    if (count == 0) return false;
    wide_.resize(static_cast<size_t>(count));
    labels_.resize(wide_.size());
    file_->read(position_, count, wide_.data(), labels_.data());
    document.tokenized = document.is_part = true;
    for (const int64_t id : wide_)
      document.ids.push_back(static_cast<int32_t>(std::min<int64_t>(id, INT32_MAX)));
    document.line = ++part_;
    position_ += count;
    return true;
  }
  TextPlace place() const override { return {position_, part_, false}; }
  double share() const override {
    return static_cast<double>(position_) / static_cast<double>(file_->num_tokens());
  }

 private:
  std::unique_ptr<TokenFile> file_;
  int64_t part_tokens_, position_, part_;
  std::vector<int64_t> wide_, labels_;
};

}  // namespace

std::unique_ptr<DocumentReader> open_token_parts(std::unique_ptr<TokenFile> file, int64_t part_tokens,
                                                 const TextPlace& begin) {
  return std::make_unique<TokenParts>(std::move(file), part_tokens, begin);
}

Corpus::Corpus(CorpusOptions options, const DocumentPlace& begin)
    : options_(std::move(options)), place_(begin), bytes_before_{0} {
  if (options_.files.empty()) fail("data", "expected at least one data file, given none");
  for (const Path& path : options_.files)
    bytes_before_.push_back(bytes_before_.back() + static_cast<int64_t>(RandomAccessFile(path).size()));
  if (begin.file < 0 || begin.file >= static_cast<int64_t>(options_.files.size()))
    fail("data", "the saved position is in file {} of {}", begin.file + 1, options_.files.size());
  open(begin.text);
}

void Corpus::open(const TextPlace& begin) {
  const Path& file = path(place_.file);
  reader_ = is_token_file(file) ? open_token_parts(TokenFile::open_shard(file, options_.token_dtype),
                                                   options_.part_tokens, begin)
                                : open_documents(file, options_.format, begin);
}

bool Corpus::end_epoch() {
  if (place_.document == 0) fail("data", "{} holds no documents", path(0).string());
  if (options_.once) return false;
  place_ = {place_.epoch + 1, 0, 0, {}};
  open({});
  return true;
}

double Corpus::share() const {
  const auto file = static_cast<size_t>(place_.file);
  const auto own = static_cast<double>(bytes_before_[file + 1] - bytes_before_[file]);
  const double read = static_cast<double>(bytes_before_[file]) + reader_->share() * own;
  return read / static_cast<double>(std::max<int64_t>(1, bytes_before_.back()));
}

bool Corpus::next(Document& document) {
  for (;;) {
    const bool full = options_.max_documents > 0 && place_.document >= options_.max_documents;
    place_.text = reader_->place();
    const double before = share();
    if (!full && reader_->next(document)) {
      document.place = place_;
      document.share = before;
      ++place_.document;
      return true;
    }
    if (!full && ++place_.file < static_cast<int64_t>(options_.files.size())) {
      open({});
    } else if (!end_epoch()) {
      return false;
    }
  }
}

uint64_t corpus_fingerprint(const std::vector<Path>& files) {
  uint64_t hash = kFnv1aBasis;
  for (const Path& path : files) {
    hash = fnv1a(fmt::format("{}:{};", path.filename().string(), RandomAccessFile(path).size()), hash);
    hash = sampled_hash(path, hash);
  }
  return hash;
}

}  // namespace galore
