#include "chat/chat_template.h"

#include "chat/jinja/filters.h"
#include "chat/jinja/parser.h"
#include "chat/jinja/run.h"
#include "core/errors.h"
#include "tokenizer/text_repair.h"

namespace galore {
namespace {

using jinja::Budget;
using jinja::Value;

// `level` is that of the value in the whole.
Value value_of(Budget& budget, const ChatJson& json, int level) {
  budget.step();
  budget.check_depth(level);
  switch (json.type()) {
    case ChatJson::value_t::boolean:
      return json.get<bool>();
    case ChatJson::value_t::number_integer:
      return json.get<int64_t>();
    case ChatJson::value_t::number_unsigned:
      if (json.get<uint64_t>() > INT64_MAX) jinja::raise("an integer has more than 64 bits");
      return json.get<int64_t>();
    case ChatJson::value_t::number_float:
      return json.get<double>();
    case ChatJson::value_t::string:
      return jinja::make_text(budget, json.get<std::string>());
    case ChatJson::value_t::array: {
      jinja::Items items;
      for (const ChatJson& item : json) items.push_back(value_of(budget, item, level + 1));
      return jinja::make_list(budget, std::move(items));
    }
    case ChatJson::value_t::object: {
      jinja::Dict dict;
      for (const auto& [key, value] : json.items())
        dict.set(jinja::make_text(budget, key), value_of(budget, value, level + 1));
      return jinja::make_dict(budget, std::move(dict));
    }
    default:
      return jinja::None{};
  }
}

const jinja::FramePtr& shared_globals() {
  static const jinja::FramePtr globals = jinja::global_frame();
  return globals;
}

[[noreturn]] void fail_in(const std::string& name, const jinja::Fault& fault) {
  if (fault.line > 0) fail(fmt::format("{}:{}", name, fault.line), "{}", fault.what());
  fail(name, "{}", fault.what());
}

}  // namespace

ChatTemplate::ChatTemplate(std::string name, std::string_view source, const jinja::Limits& limits)
    : name_(std::move(name)), limits_(limits) {
  if (const std::string fault = utf8_fault(name_, 1, source); !fault.empty()) throw Error(fault);
  try {
    parsed_ = std::make_unique<const jinja::ParsedTemplate>(jinja::parse_template(source, limits));
  } catch (const jinja::Fault& fault) {
    fail_in(name_, fault);
  }
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;

bool ChatTemplate::has_generation_blocks() const { return parsed_->has_generation; }

RenderedChat ChatTemplate::render(const ChatJson& variables) const {
  try {
    jinja::Run run(limits_);
    const jinja::FramePtr context = run.new_frame(shared_globals());
    for (const auto& [name, value] : variables.items())
      context->values[name] = value_of(run.budget, value, 0);
    jinja::execute(parsed_->body, run, run.new_frame(context));
    return {std::move(run.text), std::move(run.generation_spans), run.has_hidden_generation};
  } catch (const jinja::Fault& fault) {
    fail_in(name_, fault);
  }
}

}  // namespace galore
