// What the table of presets knows of a method: its name, its options and how to make one for a weight. A
// method's own file tells it, so that nothing else lists methods or their options.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "core/memory.h"
#include "core/options.h"
#include "optim/methods/method.h"
#include "optim/settings.h"

namespace galore {

// What a method may be made of, for one weight. `targeted`: it is one of optim_target_modules.
class Parts {
 public:
  Parts(const OptimizerSettings& settings, std::string name, at::IntArrayRef shape, bool targeted,
        Workspace& workspace)
      : settings(settings),
        name(std::move(name)),
        shape(shape.vec()),
        targeted(targeted),
        workspace(workspace) {}

  // A matrix's sizes.
  int64_t rows() const { return shape.at(0); }
  int64_t columns() const { return shape.at(1); }
  // The settings' rule for a tensor of `shape`, such as a low-rank gradient.
  std::unique_ptr<UpdateRule> rule(at::IntArrayRef shape) const;
  std::unique_ptr<Subspace> subspace() const;
  // Zeros in fp32 or as the settings store moments. `is_signed`: false for squares.
  std::unique_ptr<Moment> moment(at::IntArrayRef shape, bool is_signed) const;

  const OptimizerSettings& settings;
  const std::string name;
  const std::vector<int64_t> shape;
  const bool targeted;
  Workspace& workspace;
};

struct MethodTraits {
  bool has_basis = false;           // it is made of Parts::subspace(), and has its options
  bool needs_orthonormal = false;   // subspace=random is refused: P P^T must be a projection
  bool takes_every_weight = false;  // not the targeted ones alone, whatever their number of dimensions
};

class MethodKind {
 public:
  MethodKind(std::string name, MethodTraits traits) : name_(std::move(name)), traits_(traits) {}
  virtual ~MethodKind() = default;
  const std::string& name() const { return name_; }
  const MethodTraits& traits() const { return traits_; }
  // The method's own options, bound to this object.
  virtual void declare(OptionTable& table) = 0;
  virtual std::unique_ptr<Method> make(const Parts& parts) const = 0;

 private:
  std::string name_;
  MethodTraits traits_;
};

// For a method whose options are a struct with a declare_options() of its own.
template <class Options>
class MethodKindOf : public MethodKind {
 public:
  using Make = std::unique_ptr<Method> (*)(const Options& options, const Parts& parts);
  MethodKindOf(std::string name, MethodTraits traits, Make make, Options options)
      : MethodKind(std::move(name), traits), options_(std::move(options)), make_(make) {}
  void declare(OptionTable& table) override { declare_options(table, options_); }
  std::unique_ptr<Method> make(const Parts& parts) const override { return make_(options_, parts); }
  const Options& options() const { return options_; }

 private:
  Options options_;
  Make make_;
};

template <class Options>
std::shared_ptr<MethodKind> method_kind(std::string name, MethodTraits traits,
                                        typename MethodKindOf<Options>::Make make, Options options = {}) {
  return std::make_shared<MethodKindOf<Options>>(std::move(name), traits, make, std::move(options));
}

}  // namespace galore
