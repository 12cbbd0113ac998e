// The table of presets knows a method by its MethodKind: the method's name, its options and a function that
// makes one for a weight. The method's own file defines it, so no other file lists methods or their options.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "core/memory.h"
#include "core/options.h"
#include "optim/methods/method.h"
#include "optim/settings.h"

namespace galore {

// The inputs for making a method for one weight. `targeted` tells that the weight is one of
// optim_target_modules.
class Parts {
 public:
  Parts(const OptimizerSettings& settings, std::string name, at::IntArrayRef shape, bool targeted,
        Workspace& workspace)
      : settings(settings),
        name(std::move(name)),
        shape(shape.vec()),
        targeted(targeted),
        workspace(workspace) {}

  // The sizes of a matrix.
  int64_t rows() const { return shape.at(0); }
  int64_t columns() const { return shape.at(1); }
  // Makes the settings' update rule for a tensor of `shape`, such as a low-rank gradient.
  std::unique_ptr<UpdateRule> rule(at::IntArrayRef shape) const;
  std::unique_ptr<Subspace> subspace() const;
  // Makes a moment of zeros, in the storage format of the settings. `is_signed` is false for squares.
  std::unique_ptr<Moment> moment(at::IntArrayRef shape, bool is_signed) const;

  const OptimizerSettings& settings;
  const std::string name;
  const std::vector<int64_t> shape;
  const bool targeted;
  Workspace& workspace;
};

struct MethodTraits {
  bool has_basis = false;           // it uses Parts::subspace() and takes the options of a subspace
  bool needs_orthonormal = false;   // it refuses subspace=random, because P P^T must be a projection
  bool takes_every_weight = false;  // it takes every weight, targeted or not, of any number of dimensions
};

class MethodKind {
 public:
  MethodKind(std::string name, MethodTraits traits) : name_(std::move(name)), traits_(traits) {}
  virtual ~MethodKind() = default;
  const std::string& name() const { return name_; }
  const MethodTraits& traits() const { return traits_; }
  // Declares the method's own options; they are stored in this object.
  virtual void declare(OptionTable& table) = 0;
  virtual std::unique_ptr<Method> make(const Parts& parts) const = 0;

 private:
  std::string name_;
  MethodTraits traits_;
};

// Implements MethodKind for a method that keeps its options in a struct with a declare_options() function.
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
