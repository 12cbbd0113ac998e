// Python's two ways to format numbers and texts: "%s" % value and "{}".format(value).
#include <fmt/format.h>

#include <cctype>

#include "chat/jinja/operations.h"
#include "chat/jinja/python_text.h"

namespace galore::jinja {
namespace {

// A width or a precision has at most three digits, so that no template can ask for gigabytes.
constexpr size_t kMostDigits = 3;

void check_digits(std::string_view spec) {
  size_t digits = 0;
  for (const char c : spec) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > kMostDigits) raise("a width has more than {} digits", kMostDigits);
  }
}

// Puts a comma between each three digits before the point.
std::string grouped(std::string digits) {
  size_t end = std::min(digits.find('.'), digits.size());
  const size_t begin = digits.find_first_of("0123456789");
  for (; end > begin + 3; end -= 3) digits.insert(end - 3, ",");
  return digits;
}

// Formats a value by a format specification without its type, such as ">8.2".
std::string formatted(Run& run, const std::string& spec, char type, const Value& value) {
  check_digits(spec);
  if (const size_t comma = spec.find(','); comma != std::string::npos && value.number())
    return grouped(formatted(run, spec.substr(0, comma) + spec.substr(comma + 1), type, value));
  const std::string field = "{:" + spec + (type ? std::string(1, type) : "") + "}";
  try {
    if (type == 's' || type == 0) {
      if (type == 0 && value.number() && !value.as<bool>() && !spec.empty()) {
        const double real = *value.number();
        const auto whole = value.integer();
        return whole ? fmt::format(fmt::runtime(field), *whole) : fmt::format(fmt::runtime(field), real);
      }
      const std::string text = str(run.budget, value);
      return spec.empty() ? text : fmt::format(fmt::runtime(field), text);
    }
    if (std::string_view("dxXobc").find(type) != std::string_view::npos) {
      const auto whole = value.integer();
      if (!whole) raise("Unknown format code '{}' for object of type '{}'", type, type_name(value));
      return fmt::format(fmt::runtime(field), *whole);
    }
    const auto number = value.number();
    if (!number) raise("Unknown format code '{}' for object of type '{}'", type, type_name(value));
    if (type == '%') {
      const std::string percent = "{:" + (spec.find('.') == std::string::npos ? spec + ".6" : spec) + "f}";
      return fmt::format(fmt::runtime(percent), *number * 100) + "%";
    }
    return fmt::format(fmt::runtime(field), *number);
  } catch (const fmt::format_error&) {
    raise("Invalid format specifier '{}'", spec);
  }
}

// Splits "name.key[0]" and looks each part up.
Value looked_up(Run& run, Value value, std::string_view path) {
  while (!path.empty()) {
    const bool is_item = path.front() == '[';
    const size_t end = is_item ? path.find(']') : std::min(path.find_first_of(".[", 1), path.size());
    if (end == std::string_view::npos) raise("expected ']' in a format field");
    const std::string key(path.substr(1, end - 1));
    value = is_item ? item_of(run, value, path_key(run, key)) : attribute_of(value, key);
    path.remove_prefix(std::min(path.size(), end + (is_item ? 1 : 0)));
  }
  return value;
}

Value argument_of(Run& run, std::string_view field, const Arguments& arguments, size_t& next) {
  const size_t end = std::min(field.find_first_of(".["), field.size());
  const std::string name(field.substr(0, end));
  const bool is_number = name.find_first_not_of("0123456789") == std::string::npos;
  if (is_number) {
    const size_t place = name.empty() ? next++ : std::stoul(name.substr(0, 9));
    if (place >= arguments.values.size())
      raise("Replacement index {} out of range for positional args tuple", place);
    return looked_up(run, arguments.values[place], field.substr(end));
  }
  for (const auto& [known, value] : arguments.named)
    if (known == name) return looked_up(run, value, field.substr(end));
  raise("format(): no argument '{}'", name);
}

std::string brace_field(Run& run, const std::string& field, const Arguments& arguments, size_t& next) {
  const size_t colon = std::min(field.find(':'), field.size());
  std::string name = field.substr(0, colon);
  std::string spec = field.substr(std::min(field.size(), colon + 1));
  bool as_repr = false;
  if (const size_t mark = name.find('!'); mark != std::string::npos) {
    as_repr = name.substr(mark) == "!r";
    name.resize(mark);
  }
  Value value = argument_of(run, name, arguments, next);
  if (as_repr) value = make_text(run.budget, repr(run.budget, value));
  char type = 0;
  if (!spec.empty() && (std::isalpha(static_cast<unsigned char>(spec.back())) || spec.back() == '%'))
    type = spec.back(), spec.pop_back();
  return formatted(run, spec, type, value);
}

// The values of a printf-style format, taken one after the other.
class PrintfValues {
 public:
  explicit PrintfValues(const Value& value) : value_(value) {
    const Sequence* tuple = value.as<Sequence>();
    if (tuple && tuple->kind == SequenceKind::tuple)
      items_ = tuple->data->items;
    else
      items_ = {value};
  }
  Value next() {
    if (taken_ == items_.size()) raise("not enough arguments for format string");
    return items_[taken_++];
  }
  Value named(const std::string& key) {
    taken_ = items_.size();
    if (!value_.dict()) raise("format requires a mapping");
    const Value* found = value_.dict()->find(key);
    if (!found) raise("format: no key '{}'", key);
    return *found;
  }
  void finish() const {
    if (taken_ < items_.size() && !value_.dict())
      raise("not all arguments converted during string formatting");
  }

 private:
  const Value& value_;
  Items items_;
  size_t taken_ = 0;
};

// Turns the flags of printf into a format specification: texts are aligned to the right.
std::string spec_of(std::string_view flags, std::string_view size, bool is_text) {
  const bool left = flags.find('-') != flags.npos, zero = flags.find('0') != flags.npos && !left && !is_text;
  std::string spec = left ? "<" : zero ? "" : size.empty() || size[0] == '.' ? "" : ">";
  if (!is_text && flags.find('+') != flags.npos) spec += '+';
  if (!is_text && flags.find(' ') != flags.npos) spec += ' ';
  return spec + (zero ? "0" : "") + std::string(size);
}

std::string printf_field(Run& run, std::string_view flags, std::string_view size, char type,
                         const Value& value) {
  switch (type) {
    case 's':
      return formatted(run, spec_of(flags, size, true), 's', make_text(run.budget, str(run.budget, value)));
    case 'r':
      return formatted(run, spec_of(flags, size, true), 's', make_text(run.budget, repr(run.budget, value)));
    case 'd':
    case 'i':
    case 'u': {
      if (!value.number()) raise("%d format: a real number is required, not {}", type_name(value));
      const auto whole = value.integer();
      return formatted(run, spec_of(flags, size, false), 'd',
                       whole ? Value(*whole) : Value(static_cast<int64_t>(*value.number())));
    }
    case 'x':
    case 'X':
    case 'o':
      return formatted(run, spec_of(flags, size, false), type, value);
    case 'e':
    case 'f':
    case 'g': {
      if (!value.number()) raise("must be real number, not {}", type_name(value));
      return formatted(run, spec_of(flags, size, false), type, Value(*value.number()));
    }
    default:
      raise("unsupported format character '{}'", type);
  }
}

}  // namespace

std::string printf_format(Run& run, const std::string& format, const Value& value) {
  PrintfValues values(value);
  std::string out;
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    ++at;
    std::optional<Value> named;
    if (at < format.size() && format[at] == '(') {
      const size_t end = format.find(')', at);
      if (end == std::string::npos) raise("incomplete format key");
      named = values.named(format.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    const size_t size_at = std::min(format.find_first_not_of("-+ 0#", at), format.size());
    const size_t type_at = std::min(format.find_first_not_of("0123456789.", size_at), format.size());
    if (type_at == format.size()) raise("incomplete format");
    const std::string_view whole = format;
    if (format[type_at] == '%')
      out += '%';
    else
      out += printf_field(run, whole.substr(at, size_at - at), whole.substr(size_at, type_at - size_at),
                          format[type_at], named ? *named : values.next());
    at = type_at + 1;
    run.budget.step();
  }
  values.finish();
  return out;
}

std::string brace_format(Run& run, const std::string& format, const Arguments& arguments) {
  std::string out;
  size_t next = 0;
  for (size_t at = 0; at < format.size(); ++at) {
    const char c = format[at];
    const bool is_double = at + 1 < format.size() && format[at + 1] == c;
    if ((c == '{' || c == '}') && is_double) {
      out += c;
      ++at;
    } else if (c == '{') {
      const size_t end = format.find('}', at);
      if (end == std::string::npos) raise("expected '}}' before end of string");
      out += brace_field(run, format.substr(at + 1, end - at - 1), arguments, next);
      at = end;
      run.budget.step();
    } else if (c == '}') {
      raise("Single '}}' encountered in format string");
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace galore::jinja
