// Binds the arguments of a call to the parameters of a function.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "chat/jinja/value.h"

namespace galore::jinja {

class Parameters {
 public:
  // `names` are the parameters in order, and the first `required` must be given. Arguments that do not fit
  // are a Fault that names the function.
  Parameters(std::string function, const Arguments& arguments, std::initializer_list<const char*> names,
             size_t required = 0);

  bool has(size_t i) const { return values_[i].has_value(); }
  // Returns the argument, or none.
  Value value(size_t i) const { return values_[i].value_or(Value()); }
  std::string text(size_t i, const std::string& missing = "") const;
  int64_t integer(size_t i, int64_t missing) const;
  bool truth(size_t i, bool missing) const { return has(i) ? is_true(*values_[i]) : missing; }

 private:
  std::string function_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace galore::jinja
