// json.dumps of Python, as transformers' filter tojson calls it.
#include <algorithm>
#include <cmath>

#include "chat/jinja/filters.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/python_text.h"
#include "tokenizer/unicode/code_points.h"

namespace galore::jinja {
namespace {

std::string json_real(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  return repr_of_real(value);
}

class JsonWriter {
 public:
  JsonWriter(Run& run, const Parameters& given)
      : run_(run), ascii_(given.truth(0, false)), sorts_(given.truth(3, false)) {
    const Value indent = given.value(1);
    if (indent.text()) indentation_ = *indent.text();
    if (const auto width = indent.integer())
      indentation_ = std::string(static_cast<size_t>(std::clamp<int64_t>(*width, 0, 1000)), ' ');
    if (indentation_) item_separator_ = ",";
    if (given.value(2).is_none()) return;
    const Items parts = items_of(run.budget, given.value(2));
    if (parts.size() != 2 || !parts[0].text() || !parts[1].text()) raise("tojson: expected two separators");
    item_separator_ = *parts[0].text();
    key_separator_ = *parts[1].text();
  }

  std::string write(const Value& value) {
    add(value);
    return std::move(out_);
  }

 private:
  void add(const Value& value) {
    run_.budget.step();
    if (value.text()) return add_text(*value.text());
    if (value.dict()) return add_dict(*value.dict());
    if (value.list()) return add_list(*value.list());
    if (value.is_none()) {
      out_ += "null";
    } else if (const bool* truth = value.as<bool>()) {
      out_ += *truth ? "true" : "false";
    } else if (value.as<int64_t>()) {
      out_ += std::to_string(*value.as<int64_t>());
    } else if (value.as<double>()) {
      out_ += json_real(*value.as<double>());
    } else {
      raise("Object of type {} is not JSON serializable", type_name(value));
    }
  }

  void add_escaped(char32_t c) {
    if (c >= 0x10000) {
      const auto high = static_cast<uint32_t>(0xd800 + ((c - 0x10000) >> 10));
      out_ += fmt::format("\\u{:04x}\\u{:04x}", high, static_cast<uint32_t>(0xdc00 + (c & 0x3ff)));
    } else {
      out_ += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    }
  }

  void add_text(std::string_view text) {
    constexpr std::string_view kPlain = "\"\\\n\r\t\f\b", kNames = "\"\\nrtfb";
    run_.budget.take(text.size());
    out_ += '"';
    for_each_code_point(text, [&](const CodePoint& c, size_t) {
      const size_t named = c.value < 0x80 ? kPlain.find(static_cast<char>(c.value)) : std::string_view::npos;
      if (named != std::string_view::npos)
        out_ += '\\', out_ += kNames[named];
      else if (c.value < 0x20 || (ascii_ && c.value > 0x7e))
        add_escaped(c.value);
      else
        append_utf8(out_, c.value);
    });
    out_ += '"';
  }

  void break_line(int change) {
    level_ += change;
    if (!indentation_) return;
    run_.budget.take(indentation_->size() * static_cast<size_t>(level_));
    out_ += '\n';
    for (int i = 0; i < level_; ++i) out_ += *indentation_;
  }

  void add_list(const Items& items) {
    if (items.empty()) return void(out_ += "[]");
    out_ += '[';
    break_line(1);
    for (const Value& item : items) {
      if (&item != &items.front()) out_ += item_separator_, break_line(0);
      add(item);
    }
    break_line(-1);
    out_ += ']';
  }

  std::string key_text(const Value& key) {
    if (key.text()) return *key.text();
    if (key.is_none()) return "null";
    if (key.as<bool>()) return *key.as<bool>() ? "true" : "false";
    if (key.as<double>()) return json_real(*key.as<double>());
    if (key.as<int64_t>()) return std::to_string(*key.as<int64_t>());
    raise("keys must be str, int, float, bool or None, not {}", type_name(key));
  }

  void add_dict(const Dict& dict) {
    if (dict.entries().empty()) return void(out_ += "{}");
    std::vector<Dict::Entry> entries = dict.entries();
    if (sorts_)
      std::stable_sort(entries.begin(), entries.end(), [&](const Dict::Entry& a, const Dict::Entry& b) {
        return is_less(run_.budget, a.first, b.first);
      });
    out_ += '{';
    break_line(1);
    for (const Dict::Entry& entry : entries) {
      if (&entry != &entries.front()) out_ += item_separator_, break_line(0);
      add_text(key_text(entry.first));
      out_ += key_separator_;
      add(entry.second);
    }
    break_line(-1);
    out_ += '}';
  }

  Run& run_;
  bool ascii_, sorts_;
  std::optional<std::string> indentation_;
  std::string item_separator_ = ", ", key_separator_ = ": ", out_;
  int level_ = 0;
};

}  // namespace

std::string to_json(Run& run, const Value& value, const Arguments& arguments) {
  const Parameters given("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  return JsonWriter(run, given).write(value);
}

}  // namespace galore::jinja
