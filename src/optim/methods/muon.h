// Muon: an optimizer for hidden layers.
// Jordan, Jin, Boza, You, Cesista, Newhouse, Bernstein; 2024; kellerjordan.github.io/posts/muon, and
// torch.optim.Muon.
//
//   symbol    name in code   default        where the default comes from
//   mu        momentum       0.95           the authors' code
//             nesterov       true           the authors' code
//   steps     ns_steps       5              the authors' code
//             ns_dtype       bfloat16       the authors' code
//             scale          1              ours: a factor on the direction
//   beta      UpdateRule     0.9, 0.95      the authors' code, for the other weights; their epsilon is 1e-10
//
//   M = mu M + (1 - mu) G;  U = (1 - mu) G + mu M, or M without nesterov
//   X = U / (|U| + 1e-7), then ns_steps quintic Newton-Schulz steps (kernels/newton_schulz.h)
//   direction = scale sqrt(max(1, m / n)) X
//
// State: m n.
//
// Departures: one learning rate serves all weights. The authors give hidden weights 0.02 and the others 3e-4;
// `scale` or optim_overrides can set them apart. With bfloat16, products are summed in fp32 and rounded as
// kernels/newton_schulz.h describes; the authors' code also rounds each intermediate sum and product.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct MuonOptions {
  double momentum = 0.95, scale = 1;
  bool nesterov = true;
  int64_t ns_steps = 5;
  std::string ns_dtype = "bfloat16";
};
void declare_options(OptionTable& table, MuonOptions& options);

std::unique_ptr<Method> make_muon(const MuonOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> muon_kind(const MuonOptions& options = {});

}  // namespace galore
