// Gradients of a model outside of its training: whole or inside the subspaces of its optimizer. Legend: T
// tokens, m outputs, n inputs, r rank.
//
// A probe takes the place of the parameters' sinks for the time of one backward pass. It either keeps the
// gradient as a named set, or forms the inner product of the gradient with a set. The product of a linear
// layer needs no m x n gradient: <dY^T X, H> = sum((dY H) * X), which costs one T x m by m x n product. With
// projected gradients, dY, X and H have r columns where the basis reduces them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/parameter.h"
#include "models/trainable_model.h"
#include "optim/subspaces/subspace.h"

namespace galore {

// Weights that the optimizer does not project, and embeddings, count whole in both.
enum class InnerProduct { exact, projected };

// Returns the subspace of a parameter, or null if it has none with a basis.
using SubspaceOf = std::function<Subspace*(const Parameter&)>;

class GradientProbe {
 public:
  // `kinds` are the inner products that are formed; each needs a set of its own. The model and the workspace
  // must outlive the probe.
  GradientProbe(TrainableModel& model, std::vector<InnerProduct> kinds, SubspaceOf subspace_of,
                Workspace& workspace);

  // Keeps the gradient of the batch's mean loss under `set`.
  LossSum collect(const Batch& batch, const std::string& set);
  // Returns the inner products of the gradient of the batch's mean loss with `set`, one for each kind. They
  // are 0 if no target of the batch counts.
  std::vector<double> rate(const Batch& batch, const std::string& set);
  // Returns the inner product of two sets, by the first kind.
  double dot(const std::string& a, const std::string& b);
  // Returns the part of a parameter in a set of whole gradients.
  at::Tensor part(const std::string& set, const Parameter& parameter);
  const ParameterList& parameters() const { return parameters_; }

 private:
  class Tap;
  enum class Mode { collect, rate };

  LossSum run(const Batch& batch, const std::string& set, Mode mode, std::vector<double>& products);
  Subspace* subspace(const Parameter& parameter, InnerProduct kind) const;
  at::Tensor buffer(const std::string& set, const Parameter& parameter, InnerProduct kind);

  TrainableModel& model_;
  ParameterList parameters_;  // the trainable ones
  std::vector<InnerProduct> kinds_;
  SubspaceOf subspace_of_;
  Workspace& workspace_;
};

}  // namespace galore
