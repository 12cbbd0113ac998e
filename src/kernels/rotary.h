// Rotary position embedding (Su et al., "RoFormer", 2021) in transformers' rotate-half convention: feature i
// is rotated together with feature i + D/2.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

// Rotates x in place by the angles of each token's position, given by their cosines and sines. `inverse`
// rotates back, which is also the backward pass. Legend: B rows, T tokens of a row, D features of a head, P
// positions. x: B x T x heads x D, contiguous. cosine, sine: P x D/2 fp32, contiguous, on x's device.
// positions: B x T int64, each token's row of the tables; a position outside [0, P) is an Error that names
// the token. If positions are undefined, token t has position t, and P = T. Positions on the CPU work for x
// on any device; callers of several rotations should move them once.
void rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse,
            const at::Tensor& positions = {});

namespace reference {
void rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse,
            const at::Tensor& positions = {});
}

}  // namespace galore
