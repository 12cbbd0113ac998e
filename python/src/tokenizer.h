// A tokenizer as a class of torch.
#pragma once

#include <ATen/Parallel.h>
#include <torch/custom_class.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "chat/chat_templates.h"
#include "tokenizer/tokenizer.h"
#include "worker.h"

namespace galore::python {

using Strings = std::vector<std::string>;
using Integers = std::vector<int64_t>;

class TokenizerHandle : public torch::CustomClassHolder {
 public:
  explicit TokenizerHandle(const std::string& path)
      : path_(path), tokenizer_(marking_usage_errors([&] { return load_tokenizer(path); })) {}
  TokenizerHandle(std::string path, std::shared_ptr<const Tokenizer> tokenizer)
      : path_(std::move(path)), tokenizer_(std::move(tokenizer)) {}

  std::vector<Integers> encode(const Strings& texts, bool add_special_tokens) const {
    std::vector<Integers> all(texts.size());
    for_each(texts.size(), [&](size_t i) {
      const std::vector<int32_t> ids = tokenizer_->encode(texts[i], add_special_tokens);
      all[i].assign(ids.begin(), ids.end());
    });
    return all;
  }
  Strings decode(const std::vector<Integers>& rows, bool skip_special_tokens) const {
    Strings all(rows.size());
    for_each(rows.size(), [&](size_t i) {
      std::vector<int32_t> ids;
      for (const int64_t id : rows[i]) ids.push_back(narrow(id));
      all[i] = tokenizer_->decode(ids, skip_special_tokens);
    });
    return all;
  }
  int64_t vocab_size() const { return tokenizer_->vocab_size(); }
  Integers special_ids() const { return tokenizer_->special_ids(); }
  // Only the tokens that the tokenizer has.
  c10::Dict<std::string, int64_t> named_ids() const {
    c10::Dict<std::string, int64_t> ids;
    const auto put = [&](const char* name, const std::optional<int64_t>& id) {
      if (id) ids.insert(name, *id);
    };
    put("bos", tokenizer_->bos_id());
    put("eos", tokenizer_->eos_id());
    put("pad", tokenizer_->pad_id());
    put("mask", tokenizer_->mask_id());
    return ids;
  }
  // `chat` is a JSON object with messages, tools and variables. `name` chooses a template or a file; "": by
  // the chat.
  std::string chat_text(const std::string& chat, const std::string& name, bool add_generation_prompt) const {
    return marking_usage_errors([&] {
      const ChatJson given = ChatJson::parse(chat);
      ChatTemplates templates(path_);
      if (!name.empty()) templates.choose(name);
      return templates
          .render({given.at("messages"), given.at("tools"), given.at("variables")}, add_generation_prompt)
          .text;
    });
  }

 private:
  // Calls `work` for the numbers below `count`, in the threads of torch.
  static void for_each(size_t count, const std::function<void(size_t)>& work) {
    constexpr int64_t kTexts = 16;  // in a piece of work
    at::parallel_for(0, static_cast<int64_t>(count), kTexts, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) work(static_cast<size_t>(i));
    });
  }
  static int32_t narrow(int64_t id) {
    if (id < 0 || id > std::numeric_limits<int32_t>::max()) fail("decode", "expected ids, given {}", id);
    return static_cast<int32_t>(id);
  }

  std::string path_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

}  // namespace galore::python
