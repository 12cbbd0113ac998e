#include <algorithm>
#include <iterator>

#include "core/errors.h"
#include "optim/update_rules/adafactor.h"
#include "optim/update_rules/adamw.h"
#include "optim/update_rules/rms_prop.h"
#include "optim/update_rules/sgd.h"

namespace galore {
namespace {

struct RuleRow {
  const char* name;
  std::unique_ptr<RuleKind> (*make)();
};

const RuleRow kRules[] = {
    {"adamw", [] { return adamw_kind(); }},
    {"adafactor", [] { return adafactor_kind(); }},
    {"sgd", [] { return sgd_kind(); }},
    {"rms_prop", [] { return rms_prop_kind(); }},
};

}  // namespace

void assert_rule_has_options(bool holds) { GALORE_ASSERT(holds); }

std::unique_ptr<RuleKind> rule_kind(const std::string& name) {
  const auto found = std::find_if(std::begin(kRules), std::end(kRules),
                                  [&](const RuleRow& rule) { return rule.name == name; });
  GALORE_ASSERT(found != std::end(kRules));
  return found->make();
}

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  for (const RuleRow& rule : kRules) names.emplace_back(rule.name);
  return names;
}

}  // namespace galore
