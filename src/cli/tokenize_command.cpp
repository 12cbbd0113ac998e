#include "cli/tokenize_command.h"

#include <nlohmann/json.hpp>

#include "chat/chat_encoder.h"
#include "cli/arguments.h"
#include "core/errors.h"
#include "core/files.h"
#include "core/output_path.h"
#include "data/token_cache.h"
#include "data/token_file.h"
#include "tokenizer/text_encoding.h"
#include "tokenizer/tokenizer.h"
#include "train/train_options.h"

namespace galore {
namespace {

constexpr const char* kWhere = "tokenize";
constexpr size_t kWriteBytes = 1 << 20;

struct TokenizeOptions {
  std::string model, tokenizer, output, text_documents = "paragraph", encoding = "utf-8";
  ChatOptions chat;
  std::vector<std::string> input;
  bool decode = false, add_special_tokens = true, skip_special_tokens = false, append_eos = true,
       header = true;
  bool json = false, apply_chat_template = false, assistant_only_loss = false;

  void declare(OptionTable& table) {
    table.group("Files");
    table.add("model_name_or_path", &model, "folder of a model with its tokenizer");
    table.add("tokenizer_name", &tokenizer, "folder or file of the tokenizer, instead of the model's");
    table.add("input", &input,
              "files or globs: .jsonl rows {\"text\"} or {\"input_ids\"}, .parquet (if built in), or .txt");
    table.add("output", &output, ".jsonl, or .bin for a token shard (not with decode)");
    table.add("encoding", &encoding, "encoding of the .txt and .jsonl files").choices(text_encoding_names());
    table.group("Text to ids");
    table.add("text_documents", &text_documents, "the unit of a .txt file that is one document")
        .choices({"paragraph", "line", "file"});
    table.add("add_special_tokens", &add_special_tokens,
              "add bos and eos if the tokenizer's configuration asks for them");
    table.add("append_eos", &append_eos, "end every document in a .bin file with eos");
    table.add("bin_header", &header, "begin a .bin file with llm.c's header; false: tokens only");
    declare_conversations(table);
    table.group("Ids to text");
    table.add("decode", &decode, "convert rows {\"input_ids\"} to rows {\"text\"}, one for each");
    table.add("skip_special_tokens", &skip_special_tokens, "leave special tokens out of the text");
    table.group("Output");
    table.add("json", &json, "print the result as one JSON object");
  }

  void declare_conversations(OptionTable& table) {
    table.group("Conversations");
    table.add("apply_chat_template", &apply_chat_template,
              "rows are conversations (messages, prompt and completion, alpaca, sharegpt)");
    table.add("assistant_only_loss", &assistant_only_loss,
              "write labels as well: the ids of the assistant's tokens, -100 for all others");
    declare_chat_template(table, chat);
  }

  void check() const {
    if (model.empty() && tokenizer.empty())
      fail_usage(kWhere, "model_name_or_path: expected a folder with a tokenizer, given none");
    if (input.empty()) fail_usage(kWhere, "input: expected at least one file, given none");
    if (output.empty()) fail_usage(kWhere, "output: expected a file, given none");
    if (assistant_only_loss && !apply_chat_template)
      fail_usage(kWhere, "assistant_only_loss: expected apply_chat_template");
    if (decode && is_shard()) fail_usage(kWhere, "output: decode writes rows, expected a .jsonl file");
  }
  TokenizationOptions tokenization(const Tokenizer& tokenizer) const {
    TokenizationOptions options = tokenization();
    if (!apply_chat_template) return options;
    options.chat_rows = true;
    options.chat_labels = assistant_only_loss;
    options.chat = std::make_shared<ChatEncoder>(tokenizer, chat);
    return options;
  }
  bool is_shard() const { return Path(output).extension() == ".bin"; }
  TokenizationOptions tokenization() const {
    TokenizationOptions made;
    made.text_documents = text_documents_from_name(text_documents);
    made.encoding = text_encoding_from_name(encoding);
    made.add_special_tokens = add_special_tokens;
    return made;
  }
};

struct Counts {
  int64_t documents = 0, tokens = 0;
};

class RowWriter {
 public:
  explicit RowWriter(const Path& path) : file_(path) {}
  void add(const std::string& row) {
    buffer_ += row;
    buffer_ += '\n';
    if (buffer_.size() >= kWriteBytes) flush();
  }
  void commit() {
    flush();
    file_.commit();
  }

 private:
  void flush() {
    file_.write(buffer_);
    buffer_.clear();
  }
  AtomicFile file_;
  std::string buffer_;
};

std::string integer_list(const std::vector<int32_t>& values) {
  std::string text = "[";
  for (const int32_t value : values) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(value);
  }
  return text + "]";
}

template <typename Action>
void for_each_file(const TokenizeOptions& options, Action action) {
  for (const std::string& pattern : options.input)
    for (const Path& path : expand_glob(pattern)) action(path);
}

Counts write_rows(const TokenizeOptions& options, const Tokenizer& tokenizer) {
  Counts counts;
  RowWriter rows(behind_link(options.output));
  TokenizationOptions tokenization = options.tokenization(tokenizer);
  tokenization.keep_empty_rows = true;
  for_each_file(options, [&](const Path& path) {
    const auto reader = open_documents(path, tokenization);
    tokenize_documents(*reader, path, &tokenizer, tokenization, [&](const Document& document) {
      std::string row = "{\"input_ids\": " + integer_list(document.ids);
      if (document.has_labels) row += ", \"labels\": " + integer_list(document.labels);
      rows.add(row + "}");
      counts.tokens += static_cast<int64_t>(document.ids.size());
      ++counts.documents;
    });
  });
  rows.commit();
  return counts;
}

Counts write_text(const TokenizeOptions& options, const Tokenizer& tokenizer) {
  Counts counts;
  RowWriter rows(behind_link(options.output));
  for_each_file(options, [&](const Path& path) {
    const auto reader = open_documents(path, options.tokenization());
    reader->keep_empty_rows();
    for (Document document; reader->next(document);) {
      if (!document.tokenized)
        fail(fmt::format("{}:{}", path.string(), document.line), "decode: expected a row with input_ids");
      const nlohmann::json text = tokenizer.decode(document.ids, options.skip_special_tokens);
      rows.add("{\"text\": " + text.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "}");
      counts.tokens += static_cast<int64_t>(document.ids.size());
      ++counts.documents;
    }
  });
  rows.commit();
  return counts;
}

// A temporary folder next to the output, removed with this object. It is needed because the count of tokens
// precedes the tokens in the file.
class WorkFolder {
 public:
  explicit WorkFolder(const Path& output) : path_(output.string() + ".parts") {}
  ~WorkFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

void copy_tokens(const TokenFile& part, int token_bytes, AtomicFile& file) {
  std::vector<int64_t> ids(kWriteBytes), labels(kWriteBytes);
  std::string bytes;
  for (int64_t done = 0; done < part.num_tokens();) {
    const int64_t now = std::min<int64_t>(kWriteBytes, part.num_tokens() - done);
    part.read(done, now, ids.data(), labels.data());
    bytes.clear();
    for (int64_t i = 0; i < now; ++i) {
      const auto id = static_cast<uint32_t>(ids[static_cast<size_t>(i)]);
      bytes.append(reinterpret_cast<const char*>(&id), static_cast<size_t>(token_bytes));  // little-endian
    }
    file.write(bytes);
    done += now;
  }
}

Counts write_shard(const TokenizeOptions& options, const Tokenizer& tokenizer) {
  const int token_bytes = tokenizer.vocab_size() <= 65536 ? 2 : 4;
  if (token_bytes == 4 && !options.header)
    fail_usage(kWhere, "bin_header: {} ids need 4 bytes, which only the header can say",
               tokenizer.vocab_size());
  TokenizationOptions tokenization = options.tokenization(tokenizer);
  if (options.append_eos) tokenization.separator = tokenizer.eos_id();
  const WorkFolder folder(options.output);
  std::vector<std::unique_ptr<TokenFile>> parts;
  Counts counts;
  for_each_file(options, [&](const Path& path) {
    parts.push_back(open_or_build_cache(path, &tokenizer, tokenization, folder.path()));
    if (parts.back()->has_labels()) fail(path.string(), "rows with labels cannot be written to a .bin");
    counts.tokens += parts.back()->num_tokens();
    counts.documents += parts.back()->num_documents();
  });
  AtomicFile file(behind_link(options.output));
  if (options.header) file.write(shard_header(counts.tokens, token_bytes));
  for (const auto& part : parts) copy_tokens(*part, token_bytes, file);
  file.commit();
  return counts;
}

}  // namespace

int tokenize_command(const Arguments& arguments) {
  TokenizeOptions options;
  OptionTable table;
  options.declare(table);
  if (!parse_arguments("tokenize", table, arguments)) return 0;
  options.check();
  const auto tokenizer = load_tokenizer(options.tokenizer.empty() ? options.model : options.tokenizer);
  const Counts counts = options.decode       ? write_text(options, *tokenizer)
                        : options.is_shard() ? write_shard(options, *tokenizer)
                                             : write_rows(options, *tokenizer);
  std::FILE* const stream = is_standard_output(options.output) ? stderr : stdout;
  if (options.json) {
    const nlohmann::ordered_json result = {
        {"output", options.output}, {"documents", counts.documents}, {"tokens", counts.tokens}};
    fmt::print(stream, "{}\n", result.dump());
  } else {
    fmt::print(stream, "{}: {} documents, {} tokens\n", options.output, counts.documents, counts.tokens);
  }
  return 0;
}

}  // namespace galore
