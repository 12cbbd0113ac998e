#include "data/tokenization.h"

#include <ATen/Parallel.h>

#include "chat/chat_encoder.h"
#include "core/errors.h"
#include "data/document_pipeline.h"

namespace galore {
namespace {

// A row that the template refuses is a broken row.
void encode_chat(Document& document, const std::string& where, const TokenizationOptions& options) {
  try {
    EncodedChat chat = options.chat->encode(ChatJson::parse(document.text), where);
    document.ids = std::move(chat.ids);
    document.has_labels = options.chat_labels;
    if (document.has_labels) document.labels = std::move(chat.labels);
  } catch (const Error& error) {
    document.fault = error.what();
  }
}

}  // namespace

void tokenize(Document& document, const Path& path, const Tokenizer* tokenizer,
              const TokenizationOptions& options) {
  if (!document.fault.empty()) return;
  const auto where = [&] { return fmt::format("{}:{}", path.string(), document.line); };
  if (!document.tokenized) {
    if (!tokenizer) fail(where(), "the row is text, and no tokenizer is given (tokenizer_name)");
    if (!document.is_chat)
      document.ids = tokenizer->encode(document.text, options.add_special_tokens);
    else
      encode_chat(document, where(), options);
    if (!document.fault.empty()) return;
  }
  const int64_t limit = tokenizer ? tokenizer->vocab_size() : INT32_MAX;
  for (const int32_t id : document.ids) {
    if (id >= 0 && id < limit) continue;
    document.fault = fmt::format("[{}] expected ids from 0 to {}, given {}", where(), limit - 1, id);
    return;
  }
  if (!options.separator || document.is_part || document.has_labels || document.ids.empty()) return;
  if (document.tokenized && !options.separates_ids) return;
  if (document.ids.back() != *options.separator)
    document.ids.push_back(static_cast<int32_t>(*options.separator));
}

SkippedRows tokenize_documents(DocumentReader& reader, const Path& path, const Tokenizer* tokenizer,
                               const TokenizationOptions& options,
                               const std::function<void(const Document&)>& receive) {
  SkippedRows skipped;
  if (options.keep_empty_rows) reader.keep_empty_rows();
  DocumentPipeline pipeline([&](Document& document) { return reader.next(document); },
                            [&](Document& document) { tokenize(document, path, tokenizer, options); },
                            options.workers > 0 ? options.workers : at::get_num_threads());
  for (Document document; pipeline.next(document);) {
    if (document.fault.empty()) {
      if (!document.ids.empty() || options.keep_empty_rows) receive(document);
    } else {
      if (options.broken_rows == BrokenRows::stop) throw Error(document.fault);
      skipped.add(document.fault);
    }
  }
  return skipped;
}

}  // namespace galore
