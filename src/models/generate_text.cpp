#include "models/generate_text.h"

#include <algorithm>

namespace galore {
namespace {

// What an incomplete character decodes to: U+FFFD.
constexpr const char* kReplacement = "\xef\xbf\xbd";

bool holds_one(const std::string& text, const std::vector<std::string>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const std::string& part) { return text.find(part) != std::string::npos; });
}

}  // namespace

TextStream::TextStream(Decode decode, std::vector<int64_t> prompt)
    : decode_(std::move(decode)), ids_(std::move(prompt)), shown_(decode_(ids_)) {}

std::string TextStream::add(int64_t id) {
  ids_.push_back(id);
  const std::string all = decode_(ids_);
  if (all.ends_with(kReplacement) || all.size() <= shown_.size()) return "";
  const std::string fresh = all.substr(shown_.size());
  shown_ = all;
  return fresh;
}

GeneratedText generate_text(CausalLM& model, const std::vector<int64_t>& prompt,
                            const GenerateOptions& options, const std::vector<std::string>& stop_strings,
                            const Decode& decode, const std::function<void(const std::string&)>& receive) {
  TextStream stream(decode, prompt);
  GeneratedText result;
  result.ids = generate(model, prompt, options, [&](int64_t id) {
    const std::string fresh = stream.add(id);
    result.text += fresh;
    if (receive) receive(fresh);
    return !holds_one(result.text, stop_strings);
  });
  return result;
}

}  // namespace galore
