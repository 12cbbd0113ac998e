#include "chat/chat_encoder.h"

#include <algorithm>

#include "chat/token_spans.h"
#include "core/errors.h"
#include "core/fnv1a.h"
#include "core/labels.h"

namespace galore {
namespace {

constexpr auto kIgnored = static_cast<int32_t>(kIgnoredLabel);

ChatTemplates templates_of(const Tokenizer& tokenizer, const ChatOptions& options) {
  const std::vector<Path> files = tokenizer.files();
  ChatTemplates templates(files.empty() ? Path(".") : files.front().parent_path());
  if (!options.chat_template.empty()) templates.choose(options.chat_template);
  return templates;
}

bool is_assistant(const ChatJson& message) {
  const auto role = message.find("role");
  return role != message.end() && role->is_string() && *role == "assistant";
}

[[noreturn]] void refuse_template(const std::string& name, size_t message) {
  fail(
      name,
      "expected generation blocks, such as {{% generation %}}...{{% endgeneration %}} around the assistant's "
      "text: without them message {} cannot be told from the rest, because the texts before and behind it "
      "are not beginnings of the whole text",
      message + 1);
}

}  // namespace

ChatEncoder::ChatEncoder(const Tokenizer& tokenizer, const ChatOptions& options)
    : tokenizer_(tokenizer),
      templates_(templates_of(tokenizer, options)),
      variables_(template_variables("chat_template_kwargs", options.chat_template_kwargs)),
      train_on_inputs_(options.train_on_inputs) {}

Chat ChatEncoder::with_variables(const Chat& chat) const {
  Chat out = chat;
  out.variables = variables_;
  out.variables.update(chat.variables);
  return out;
}

std::string ChatEncoder::prompt_text(const Chat& chat) const {
  return templates_.render(with_variables(chat), /*add_generation_prompt=*/true).text;
}

EncodedChat ChatEncoder::encode_plain(const ChatRow& row) const {
  EncodedChat out;
  const auto eos = tokenizer_.eos_id();
  const auto ends_with_eos = [&](const std::vector<int32_t>& ids) {
    return eos && !ids.empty() && ids.back() == static_cast<int32_t>(*eos);
  };
  out.ids = tokenizer_.encode(row.prompt, /*add_special_tokens=*/true);
  // A tokenizer that ends texts with eos ends the completion only.
  if (ends_with_eos(out.ids) && ends_with_eos(tokenizer_.encode("", /*add_special_tokens=*/true)))
    out.ids.pop_back();
  const size_t prompt = out.ids.size();
  for (const int32_t id : tokenizer_.encode(row.completion, /*add_special_tokens=*/false))
    out.ids.push_back(id);
  if (eos && (out.ids.size() == prompt || !ends_with_eos(out.ids)))
    out.ids.push_back(static_cast<int32_t>(*eos));
  out.labels = out.ids;
  if (!train_on_inputs_)
    std::fill(out.labels.begin(), out.labels.begin() + static_cast<std::ptrdiff_t>(prompt), kIgnored);
  return out;
}

std::vector<TextSpan> ChatEncoder::spans_by_prefix(const ChatRow& row, const std::string& whole) const {
  std::vector<TextSpan> spans;
  Chat part = row.chat;
  part.messages = ChatJson::array();
  for (size_t i = 0; i < row.chat.messages.size(); ++i) {
    const ChatJson& message = row.chat.messages[i];
    const bool is_trained = i >= row.first_trained && is_assistant(message);
    const std::string before = is_trained ? templates_.render(part, /*add_generation_prompt=*/true).text : "";
    part.messages.push_back(message);
    if (!is_trained) continue;
    const bool is_whole = i + 1 == row.chat.messages.size();
    const std::string with = is_whole ? whole : templates_.render(part, /*add_generation_prompt=*/false).text;
    if (!whole.starts_with(with) || !with.starts_with(before))
      refuse_template(templates_.template_for(part).name(), i);
    spans.push_back({before.size(), with.size()});
  }
  return spans;
}

std::vector<TextSpan> ChatEncoder::trained_spans(const ChatRow& row, const RenderedChat& whole) const {
  const ChatTemplate& chat_template = templates_.template_for(row.chat);
  if (!chat_template.has_generation_blocks()) return spans_by_prefix(row, whole.text);
  if (whole.has_hidden_block)
    fail(
        chat_template.name(),
        "a generation block stands inside of a macro, a set or a filter block, where its place is not known");
  if (row.first_trained == 0) return whole.assistant;
  Chat prompt = row.chat;
  prompt.messages.erase(prompt.messages.begin() + static_cast<std::ptrdiff_t>(row.first_trained),
                        prompt.messages.end());
  const size_t blocks = templates_.render(prompt, false).assistant.size();
  return {whole.assistant.begin() + static_cast<std::ptrdiff_t>(std::min(blocks, whole.assistant.size())),
          whole.assistant.end()};
}

EncodedChat ChatEncoder::encode(const ChatJson& json, const std::string& where) const {
  ChatRow row = read_chat_row(json, where);
  if (row.is_plain) return encode_plain(row);
  row.chat = with_variables(row.chat);
  EncodedChat out;
  try {
    const RenderedChat whole = templates_.render(row.chat, /*add_generation_prompt=*/false);
    out.ids = tokenizer_.encode(whole.text, /*add_special_tokens=*/false);
    out.labels = out.ids;
    if (train_on_inputs_) return out;
    const std::vector<TextSpan> trained = trained_spans(row, whole);
    const auto places = token_spans(tokenizer_, whole.text, out.ids);
    if (!places) fail("tokenizer", "it changes the text, so the assistant's tokens cannot be found");
    for (size_t i = 0; i < out.ids.size(); ++i) {
      const TextSpan token = (*places)[i];
      const bool is_trained = std::any_of(trained.begin(), trained.end(), [&](const TextSpan& span) {
        return token.begin < span.end && span.begin < token.end;
      });
      if (!is_trained) out.labels[i] = kIgnored;
    }
  } catch (const Error& error) {
    fail(where, "{}", error.what());
  }
  return out;
}

std::string ChatEncoder::fingerprint() const {
  const std::string settings = variables_.dump() + (train_on_inputs_ ? " all" : "");
  return fmt::format("{}{:08x}", templates_.fingerprint(), static_cast<uint32_t>(fnv1a(settings)));
}

}  // namespace galore
