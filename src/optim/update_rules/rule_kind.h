// Describes an update rule to the rest of the optimizer: its name, its options and how to make it for a
// tensor. A new rule is one file and one row of the table in rules.cpp.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/options.h"
#include "optim/update_rules/update_rule.h"

namespace galore {

struct RuleTraits {
  bool keeps_every_square = false;  // UpdateRule::variance() has an average for every element
};

class RuleKind {
 public:
  RuleKind(std::string name, RuleTraits traits) : name_(std::move(name)), traits_(traits) {}
  virtual ~RuleKind() = default;
  const std::string& name() const { return name_; }
  const RuleTraits& traits() const { return traits_; }
  virtual std::unique_ptr<RuleKind> clone() const = 0;
  // Declares the rule's options, bound to this object.
  virtual void declare(OptionTable& table) = 0;
  // Makes a rule with empty state for a tensor of `shape`.
  virtual std::unique_ptr<UpdateRule> make(const StorageOptions& storage, at::IntArrayRef shape,
                                           Workspace& workspace) const = 0;

 private:
  std::string name_;
  RuleTraits traits_;
};

// The kind of a rule with an options struct that has its own declare_options().
template <class Options>
class RuleKindOf : public RuleKind {
 public:
  using Make = std::unique_ptr<UpdateRule> (*)(const Options& options, const StorageOptions& storage,
                                               at::IntArrayRef shape, Workspace& workspace);
  RuleKindOf(std::string name, RuleTraits traits, Make make, Options given)
      : RuleKind(std::move(name), traits), options(std::move(given)), make_(make) {}
  std::unique_ptr<RuleKind> clone() const override { return std::make_unique<RuleKindOf>(*this); }
  void declare(OptionTable& table) override { declare_options(table, options); }
  std::unique_ptr<UpdateRule> make(const StorageOptions& storage, at::IntArrayRef shape,
                                   Workspace& workspace) const override {
    return make_(options, storage, shape, workspace);
  }

  Options options;

 private:
  Make make_;
};

// Fails unless `holds`. A failure means that a part asked for the options of a rule with which it was not
// combined.
void assert_rule_has_options(bool holds);

// Returns the options of a rule that must have options of this type.
template <class Options>
Options& options_of(RuleKind& rule) {
  auto* const known = dynamic_cast<RuleKindOf<Options>*>(&rule);
  assert_rule_has_options(known != nullptr);
  return known->options;
}
template <class Options>
const Options& options_of(const RuleKind& rule) {
  const auto* const known = dynamic_cast<const RuleKindOf<Options>*>(&rule);
  assert_rule_has_options(known != nullptr);
  return known->options;
}

// Returns the rule with this name from the table. An unknown name fails an assertion, because the option
// `rule` has refused it before.
std::unique_ptr<RuleKind> rule_kind(const std::string& name);
std::vector<std::string> rule_names();

}  // namespace galore
