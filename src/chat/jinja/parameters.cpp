#include "chat/jinja/parameters.h"

namespace galore::jinja {

Parameters::Parameters(std::string function, const Arguments& arguments,
                       std::initializer_list<const char*> names, size_t required)
    : function_(std::move(function)), values_(names.size()) {
  if (arguments.values.size() > names.size())
    raise("{}() takes at most {} arguments, given {}", function_, names.size(), arguments.values.size());
  for (size_t i = 0; i < arguments.values.size(); ++i) values_[i] = arguments.values[i];
  for (const auto& [name, value] : arguments.named) {
    size_t place = 0;
    for (const char* const known : names) {
      if (name == known) break;
      ++place;
    }
    if (place == names.size()) raise("{}() got an unexpected keyword argument '{}'", function_, name);
    if (values_[place]) raise("{}() got multiple values for argument '{}'", function_, name);
    values_[place] = value;
  }
  for (size_t i = 0; i < required; ++i)
    if (!values_[i]) raise("{}() is missing the argument '{}'", function_, *(names.begin() + i));
}

std::string Parameters::text(size_t i, const std::string& missing) const {
  if (!has(i)) return missing;
  if (!values_[i]->text())
    raise("{}(): expected a str, given '{}'", function_, jinja::type_name(*values_[i]));
  return *values_[i]->text();
}

int64_t Parameters::integer(size_t i, int64_t missing) const {
  if (!has(i)) return missing;
  const auto whole = values_[i]->integer();
  if (!whole) raise("{}(): expected an int, given '{}'", function_, jinja::type_name(*values_[i]));
  return *whole;
}

}  // namespace galore::jinja
