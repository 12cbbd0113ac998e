#include "kernels/rotary.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/op_table.h"

namespace galore {

namespace {

// Checks positions on the CPU. Positions on a device are checked there, by the gather that reads them.
void check_positions(const at::Tensor& positions, const at::Tensor& x, int64_t count) {
  GALORE_ASSERT(positions.sizes() == x.sizes().slice(0, 2) && positions.scalar_type() == at::kLong);
  GALORE_ASSERT(positions.is_contiguous() && (positions.is_cpu() || positions.device() == x.device()));
  if (!positions.is_cpu()) return;
  const int64_t* position = positions.const_data_ptr<int64_t>();
  for (int64_t token = 0; token < positions.numel(); ++token)
    if (position[token] < 0 || position[token] >= count)
      fail("rotary", "expected positions from 0 to {}, given {} at token {} of row {}", count - 1,
           position[token], token % x.size(1), token / x.size(1));
}

// Returns the rows of a table (P x R/2) by token, as B x T x 1 x R/2, or as T x 1 x R/2 if token t has
// position t.
at::Tensor by_token(const at::Tensor& table, const at::Tensor& positions) {
  if (!positions.defined()) return table.unsqueeze(1);
  const at::Tensor rows = table.index_select(0, positions.flatten().to(table.device()));
  return rows.view({positions.size(0), positions.size(1), 1, table.size(1)});
}

const kernels::Operation<decltype(rotate)> kRotate(
    "rotate",
    {.cpu = kernels::or_composed<kernels::cpu::rotate, reference::rotate>, .composed = reference::rotate});

}  // namespace

void rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse,
            const at::Tensor& positions, RotaryPairs pairs) {
  GALORE_ASSERT(x.dim() == 4 && x.is_contiguous());
  GALORE_ASSERT(cosine.dim() == 2 && 2 * cosine.size(1) <= x.size(3) && cosine.is_contiguous());
  GALORE_ASSERT(sine.sizes() == cosine.sizes() && sine.is_contiguous());
  GALORE_ASSERT(positions.defined() || cosine.size(0) == x.size(1));
  if (positions.defined() && !x.is_meta()) check_positions(positions, x, cosine.size(0));
  kRotate(x, x, cosine, sine, inverse, positions, pairs);
}

namespace reference {

void rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse,
            const at::Tensor& positions, RotaryPairs pairs) {
  const int64_t half = cosine.size(1);
  const at::Tensor c = by_token(cosine, positions), forward = by_token(sine, positions);
  const at::Tensor s = inverse ? -forward : forward;
  const bool halves = pairs == RotaryPairs::halves;
  const at::Tensor to_first = halves ? x.narrow(3, 0, half) : x.slice(3, 0, 2 * half, 2);
  const at::Tensor to_second = halves ? x.narrow(3, half, half) : x.slice(3, 1, 2 * half, 2);
  const at::Tensor first = to_first.to(at::kFloat, false, true);
  const at::Tensor second = to_second.to(at::kFloat, false, true);
  to_first.copy_(first * c - second * s);
  to_second.copy_(second * c + first * s);
}

}  // namespace reference
}  // namespace galore
