// Times attention of one layer over 2048 tokens, forward and backward: as separate rows, as one row, and as
// one row of eight documents that are kept apart. The packed row should take as long as eight rows.
#include <ATen/ATen.h>
#include <fmt/core.h>

#include <memory>

#include "bench/kernels/kernel_case.h"
#include "kernels/attention.h"

namespace galore::bench {
namespace {

constexpr int64_t kAttended = 2048, kHeads = 12, kDim = 64;
constexpr const char* kArithmetic = "matrix products in fp32";

struct Heads {
  AttentionTensors tensors;
  AttentionGradients gradients;
  at::Tensor out_gradient;
  Ledger ledger{at::kCPU};
  Workspace workspace{ledger};
};

// Makes `rows` rows of documents with `document` tokens each.
std::shared_ptr<Heads> heads_of(int64_t rows, int64_t document, at::ScalarType dtype) {
  const std::array<int64_t, 4> shape{rows, kAttended / rows, kHeads, kDim};
  const auto heads = std::make_shared<Heads>();
  heads->tensors = {normal(shape, dtype), normal(shape, dtype), normal(shape, dtype), at::empty(shape, dtype),
                    at::empty({rows, kHeads, shape[1]})};
  heads->out_gradient = normal(shape, dtype);
  heads->gradients = {at::empty(shape, dtype), at::empty(shape, dtype), at::empty(shape, dtype)};
  if (shape[1] == document) return heads;
  const at::Tensor positions = at::arange(shape[1], at::kInt).repeat({rows, 1});
  heads->tensors.first_key = positions - positions.remainder(document);
  heads->tensors.end_key = positions + 1;
  return heads;
}

// Counts the operations of `products` matrix products over the pairs of a query and a key that it sees, for
// documents of one length.
double operations(double products, int64_t document) {
  return products * 2 * kDim * kHeads * double(kAttended) * double(document + 1) / 2;
}

Work forward(const std::shared_ptr<Heads>& heads, int64_t document) {
  Work work{4 * double(heads->out_gradient.nbytes()), [=] { attention(heads->tensors, heads->workspace); }};
  work.operations = operations(2, document);
  return work;
}

Work backward(const std::shared_ptr<Heads>& heads, int64_t document) {
  attention(heads->tensors, heads->workspace);
  Work work{8 * double(heads->out_gradient.nbytes()), [=] {
              attention_backward(heads->gradients, heads->out_gradient, heads->tensors, heads->workspace);
            }};
  work.operations = operations(5, document);
  return work;
}

}  // namespace

std::vector<KernelCase> attention_cases() {
  struct Shape {
    const char* name;
    int64_t rows, document;
  };
  constexpr Shape kShapes[] = {
      {"130m 8 rows of 256", 8, 256}, {"130m 8 in one row", 1, 256}, {"130m 1 row of 2048", 1, kAttended}};
  std::vector<KernelCase> cases;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    for (const Shape& s : kShapes) {
      const std::string type = dtype == at::kFloat ? " fp32" : " bf16";
      const auto heads = [=] { return heads_of(s.rows, s.document, dtype); };
      cases.push_back(
          {"attention" + type, s.name, kArithmetic, [=] { return forward(heads(), s.document); }});
      cases.push_back(
          {"attention_backward" + type, s.name, kArithmetic, [=] { return backward(heads(), s.document); }});
    }
  return cases;
}

}  // namespace galore::bench
