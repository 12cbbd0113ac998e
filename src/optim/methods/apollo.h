// APOLLO: SGD-like Memory, AdamW-level Performance.
// Zhu, Zhang, Cong, Liu, Park, Chandra, Long, Pan, Wang, Lee; MLSys 2025; arXiv 2412.05270, Algorithm 1.
//
//   symbol   name in code      default             where the default comes from
//   r        rank              128; Mini: 1        paper: a quarter of the width; section 4.2
//   T        update_proj_gap   200                 the authors' scripts
//   P        Subspace          random              paper; proj=svd is its APOLLO with SVD
//   alpha^2  scale             1; Mini: 128        the authors' scripts
//            scale_type        channel; Mini: tensor
//   gamma    limiter           1.01                paper, section 5.1; Fira's
//            scale_front, disable_nl   false       the authors' code
//            limit_corrected           false; Q-APOLLO: true   the authors' code
//
// R = P^T G or G P. N is the rule's direction of R without its bias correction c. s_j = |N_j| / (|R_j| +
// 1e-8) for line j, or one s for the whole tensor (methods/line_scaling.h):
//
//   direction = c alpha limit(s G)
//
// scale_front multiplies by alpha before the limiter. This changes only the effect of the limiter's epsilon,
// because the limiter depends on ratios of norms. disable_nl equals limiter=0. With limit_corrected the
// limiter also sees c, which falls during the first updates: alpha limit(c s G). Q-APOLLO does this, because
// its Adam corrects the averages itself.
//
// State: the rule's on r n elements (Adam: 2 n r), one number that identifies the random numbers of P, and
// one of the limiter. The basis is stored only when it is not random.
//
// Departures from the authors' code:
// - P is generated from its random stream whenever it is read, and its numbers differ. The authors keep P.
// - As in methods/fira.h, the projected side decides the lines. When both sides are projected there is one
//   factor; the authors' channel scaling fails in this case. After a zero nothing is limited.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct ApolloOptions {
  double scale = 1;
  std::string scale_type = "channel";
  bool scale_front = false, disable_nl = false;
  double limiter = 1.01;
  bool limit_corrected = false;
};
void declare_options(OptionTable& table, ApolloOptions& options);

std::unique_ptr<Method> make_apollo(const ApolloOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> apollo_kind(const ApolloOptions& options = {});

}  // namespace galore
