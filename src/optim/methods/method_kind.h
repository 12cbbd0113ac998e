// The table of presets knows a method by its MethodKind: the method's name, its options and a function that
// makes one for a weight. The method's own file defines it, so no other file lists methods or their options.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/memory.h"
#include "core/options.h"
#include "core/parameter.h"
#include "optim/methods/method.h"
#include "optim/settings.h"

namespace galore {

// Describes a weight to its method.
struct MethodWeight {
  std::string name;
  std::vector<int64_t> shape;  // the sizes from matrix_sizes()
  bool targeted = true;        // true if optim_target_modules names it
  Role role = Role::matrix;
  int64_t layer = -1, num_layers = 0;  // the weight's layer (-1: none) and the model's number of layers
};

// The inputs from which a method is made for one weight.
class MethodInputs {
 public:
  MethodInputs(const OptimizerSettings& settings, MethodWeight weight, Workspace& workspace)
      : settings(settings), weight(std::move(weight)), workspace(workspace) {}

  // The sizes of a matrix.
  int64_t rows() const { return weight.shape.at(0); }
  int64_t columns() const { return weight.shape.at(1); }
  // Makes the settings' update rule for a tensor of `shape`, such as a low-rank gradient.
  std::unique_ptr<UpdateRule> rule(at::IntArrayRef shape) const;
  std::unique_ptr<Subspace> subspace() const;
  // Makes a moment of zeros, in the storage format of the settings. `is_signed` is false for squares.
  std::unique_ptr<Moment> moment(at::IntArrayRef shape, bool is_signed) const;

  const OptimizerSettings& settings;
  const MethodWeight weight;
  Workspace& workspace;
};

struct MethodTraits {
  bool has_basis = false;           // the method uses MethodInputs::subspace() and has its options
  bool needs_orthonormal = false;   // it refuses subspace=random, because P P^T must be a projection
  bool moves_basis = false;         // the method replaces its basis, so it needs a searched one
  bool takes_every_weight = false;  // it takes every weight, targeted or not, of any number of dimensions
  bool lifts_alone = false;         // each direction is a lift by MethodInputs::subspace() and nothing more
  bool takes_turns = false;         // weights share state and rest in some updates
};

class MethodKind {
 public:
  MethodKind(std::string name, MethodTraits traits) : name_(std::move(name)), traits_(traits) {}
  virtual ~MethodKind() = default;
  const std::string& name() const { return name_; }
  const MethodTraits& traits() const { return traits_; }
  virtual std::unique_ptr<MethodKind> clone() const = 0;
  // Declares the method's own options, bound to this object.
  virtual void declare(OptionTable& table) = 0;
  virtual std::unique_ptr<Method> make(const MethodInputs& inputs) const = 0;

 private:
  std::string name_;
  MethodTraits traits_;
};

// Implements MethodKind for a method that keeps its options in a struct with a declare_options() function.
template <class Options>
class MethodKindOf : public MethodKind {
 public:
  using Make = std::unique_ptr<Method> (*)(const Options& options, const MethodInputs& inputs);
  MethodKindOf(std::string name, MethodTraits traits, Make make, Options options)
      : MethodKind(std::move(name), traits), options_(std::move(options)), make_(make) {}
  std::unique_ptr<MethodKind> clone() const override { return std::make_unique<MethodKindOf>(*this); }
  void declare(OptionTable& table) override { declare_options(table, options_); }
  std::unique_ptr<Method> make(const MethodInputs& inputs) const override { return make_(options_, inputs); }
  const Options& options() const { return options_; }

 private:
  Options options_;
  Make make_;
};

template <class Options>
std::unique_ptr<MethodKind> method_kind(std::string name, MethodTraits traits,
                                        typename MethodKindOf<Options>::Make make, Options options = {}) {
  return std::make_unique<MethodKindOf<Options>>(std::move(name), traits, make, std::move(options));
}

}  // namespace galore
