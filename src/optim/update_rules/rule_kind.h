// What the rest of the optimizer knows of an update rule: its name, its options and how to make it for a
// tensor. The rule's own file tells it, so a new rule is its file and one row of the table in rules.cpp.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/options.h"
#include "optim/update_rules/update_rule.h"

namespace galore {

struct RuleTraits {
  bool keeps_every_square = false;  // UpdateRule::variance() is an average for every element
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
  // A rule for a tensor of `shape`, with empty state.
  virtual std::unique_ptr<UpdateRule> make(const StorageOptions& storage, at::IntArrayRef shape,
                                           Workspace& workspace) const = 0;

 private:
  std::string name_;
  RuleTraits traits_;
};

// For a rule whose options are a struct with a declare_options() of its own.
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

// Fails unless `holds`: a part asked for the options of another rule than the one it was combined with.
void assert_rule_has_options(bool holds);

// The options of a rule that is known to have these.
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

// The table. An unknown name is an assertion: the option `rule` refuses it before.
std::unique_ptr<RuleKind> rule_kind(const std::string& name);
std::vector<std::string> rule_names();

}  // namespace galore
