#include "chat/chat_templates.h"

#include "core/errors.h"
#include "core/fnv1a.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/pretrained.h"
#include "tokenizer/tokenizer_config.h"

namespace galore {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefault = "default";
constexpr const char* kForTools = "tool_use";
constexpr uintmax_t kLargestTemplate = uintmax_t{1} << 20;

bool is_file(const Path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::string read_template(const Path& path) {
  std::error_code ignored;
  if (const uintmax_t size = fs::file_size(path, ignored); !ignored && size > kLargestTemplate)
    fail(path.string(), "expected a template of at most {} bytes, given {}", kLargestTemplate, size);
  return read_file(path);
}

// Returns the named tokens as transformers' special_tokens_map.
ChatJson special_tokens_of(const Path& folder) {
  ChatJson tokens = ChatJson::object();
  const auto put = [&](const char* key, const std::optional<std::string>& token) {
    if (token && !token->empty()) tokens[key] = *token;
  };
  if (is_file(folder / "tokenizer.json")) {
    const PretrainedFolder files(folder);
    for (const char* key : kNamedTokens) put(key, files.named_token(key));
  } else if (is_file(folder / "tokenizer.model")) {
    const TokenizerConfig config = read_tokenizer_config(folder);
    put("bos_token", config.bos_token);
    put("eos_token", config.eos_token);
    put("unk_token", config.unk_token);
    put("pad_token", config.pad_token);
  }
  return tokens;
}

// transformers 5 leaves out keys without a value, because templates would write them as "None".
ChatJson without_nulls(const ChatJson& messages) {
  ChatJson out = ChatJson::array();
  for (const ChatJson& message : messages) {
    if (!message.is_object()) fail("messages", "expected a list of objects");
    ChatJson kept = ChatJson::object();
    for (const auto& [key, value] : message.items())
      if (!value.is_null()) kept[key] = value;
    out.push_back(std::move(kept));
  }
  return out;
}

}  // namespace

ChatTemplates::ChatTemplates(const Path& tokenizer) : where_(tokenizer.string()) {
  const Path folder = fs::is_directory(tokenizer) ? tokenizer : tokenizer.parent_path();
  read_files(folder);
  special_tokens_ = special_tokens_of(folder);
}

void ChatTemplates::add(const std::string& name, const std::string& file, const std::string& source) {
  templates_.erase(name);
  templates_.emplace(name, ChatTemplate(file, source));
  hash_ = fnv1a(name + source, hash_);
}

void ChatTemplates::read_files(const Path& folder) {
  if (const Path file = folder / "chat_template.jinja"; is_file(file))
    add(kDefault, file.string(), read_template(file));
  std::error_code error;
  std::vector<Path> more;
  for (fs::directory_iterator it(folder / "additional_chat_templates", error), end; !error && it != end;
       it.increment(error))
    if (it->path().extension() == ".jinja") more.push_back(it->path());
  std::sort(more.begin(), more.end());
  for (const Path& file : more) add(file.stem().string(), file.string(), read_template(file));
  for (const char* name : {"tokenizer_config.json", "chat_template.json"}) {
    if (!templates_.empty() || !is_file(folder / name)) continue;
    const Path path = folder / name;
    const nlohmann::json config = read_tokenizer_json(path);
    const auto found = config.find("chat_template");
    if (found == config.end() || found->is_null()) continue;
    const std::string where = path.string() + ": chat_template";
    if (found->is_string()) {
      add(kDefault, where, found->get<std::string>());
      continue;
    }
    if (!found->is_array()) fail(where, "expected a text or a list of templates");
    for (const nlohmann::json& item : *found) {
      const JsonFields fields(item, where);
      add(fields.text("name"), where + " " + fields.text("name"), fields.text("template"));
    }
  }
}

void ChatTemplates::choose(const std::string& name_or_file) {
  chosen_ = name_or_file;
  if (templates_.contains(chosen_)) return;
  if (!is_file(name_or_file))
    fail("chat_template", "expected a file or the name of a template of {}, given '{}'", where_,
         name_or_file);
  add(chosen_, name_or_file, read_template(name_or_file));
}

const ChatTemplate& ChatTemplates::template_for(const Chat& chat) const {
  if (templates_.empty())
    fail(where_,
         "the tokenizer has no chat template (chat_template.jinja); expected one, or chat_template=FILE");
  const bool with_tools = !chat.tools.is_null() && templates_.contains(kForTools);
  const std::string name = !chosen_.empty() ? chosen_ : with_tools ? kForTools : kDefault;
  const auto found = templates_.find(name);
  if (found != templates_.end()) return found->second;
  std::string names;
  for (const auto& entry : templates_) names += (names.empty() ? "" : ", ") + entry.first;
  fail(where_, "no chat template is named 'default': expected chat_template=NAME with one of {}", names);
}

RenderedChat ChatTemplates::render(const Chat& chat, bool add_generation_prompt) const {
  ChatJson variables = special_tokens_;
  variables["messages"] = without_nulls(chat.messages);
  variables["tools"] = chat.tools;
  variables["documents"] = nullptr;
  variables["add_generation_prompt"] = add_generation_prompt;
  for (const auto& [name, value] : chat.variables.items()) variables[name] = value;
  return template_for(chat).render(variables);
}

std::string ChatTemplates::fingerprint() const {
  return fmt::format("{:016x}", fnv1a(special_tokens_.dump() + chosen_, hash_));
}

}  // namespace galore
