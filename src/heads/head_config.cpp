#include "heads/head_config.h"

#include <fmt/core.h>

namespace galore {

std::string label_name(const HeadConfig& head, int64_t label) {
  const auto index = static_cast<size_t>(label);
  return index < head.label_names.size() ? head.label_names[index] : fmt::format("LABEL_{}", label);
}

}  // namespace galore
