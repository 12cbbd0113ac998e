#include "adapters/adapter.h"

namespace galore {

std::string Adapter::peft_name(const Parameter& parameter, const std::vector<std::string>& /*places*/) const {
  return "base_model.model." + parameter.name;
}

}  // namespace galore
