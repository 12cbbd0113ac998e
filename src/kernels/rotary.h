// Rotary position embedding (Su et al., "RoFormer", 2021). Two features are rotated together: in
// transformers' rotate-half convention i and i + R/2, in the interleaved one 2i and 2i + 1. R features of a
// head are rotated and the others stay.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

enum class RotaryPairs { halves, neighbours };

// Rotates x in place by the angles of each token's position, given by their cosines and sines. `inverse`
// rotates back, which is also the backward pass. Legend: B rows, T tokens of a row, D features of a head, P
// positions. x: B x T x heads x D, contiguous. cosine, sine: P x R/2 fp32, contiguous, on x's device; R <= D.
// positions: B x T int64, each token's row of the tables; a position outside [0, P) is an Error that names
// the token. If positions are undefined, token t has position t, and P = T. Positions on the CPU work for x
// on any device; callers of several rotations should move them once.
void rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse,
            const at::Tensor& positions = {}, RotaryPairs pairs = RotaryPairs::halves);

namespace reference {
void rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse,
            const at::Tensor& positions = {}, RotaryPairs pairs = RotaryPairs::halves);
}

}  // namespace galore
