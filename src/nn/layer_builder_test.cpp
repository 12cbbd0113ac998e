#include "nn/layer_builder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "kernels/test_tensors.h"
#include "nn/norm.h"

namespace galore {
namespace {
using namespace testing_tensors;

struct Fixture {
  Ledger ledger{at::kCPU};
  Workspace workspace{ledger};
  Pass pass{workspace, at::kFloat, 1, 5};
  DenseBuilder dense{ledger, at::kFloat};
};

ParameterList parameters_of(LinearLayer& layer) {
  ParameterList list;
  layer.list(list);
  return list;
}

// Keeps the gradients that a layer reports.
struct Report : GradientSink {
  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override {
    gradient = output_gradient.t().mm(input);
  }
  void add_rows(const at::Tensor&, const at::Tensor&) override { FAIL(); }
  void add(const at::Tensor& given) override { gradient = given.clone(); }
  void use_done() override { ++uses; }
  at::Tensor gradient;
  int uses = 0;
};

TEST(LayerBuilder, StatesNamesRolesAndLayers) {
  Fixture f;
  const Place layer{"model.layers.3", Role::matrix, 3};
  const auto linear = f.dense.linear(layer.at("mlp").at("up_proj"), {4, 6, /*bias=*/true});
  const ParameterList list = parameters_of(*linear);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]->name, "model.layers.3.mlp.up_proj.weight");
  EXPECT_EQ(list[0]->role, Role::matrix);
  EXPECT_EQ(list[1]->name, "model.layers.3.mlp.up_proj.bias");
  EXPECT_EQ(list[1]->role, Role::bias);
  ParameterList norms;
  make_norm(layer.at("norm"), {4, 1e-6, NormKind::layer}, f.dense)->list(norms);
  for (const Parameter* parameter : list) EXPECT_EQ(parameter->layer, 3);
}

TEST(LayerBuilder, AnyOrientationAndWriteIsTheProduct) {
  Fixture f;
  const at::Tensor x = random({5, 4}, at::kFloat, 1), gradient = random({5, 6}, at::kFloat, 2);
  for (const bool inputs_first : {false, true}) {
    const auto linear = f.dense.linear({"one"}, {4, 6, /*bias=*/true, inputs_first});
    const ParameterList list = parameters_of(*linear);
    list[0]->value.copy_(random(list[0]->value.sizes(), at::kFloat, 3));
    list[1]->value.copy_(random({6}, at::kFloat, 4));
    const at::Tensor weight = inputs_first ? list[0]->value.t() : list[0]->value;
    const at::Tensor expected = x.mm(weight.t()) + list[1]->value;
    at::Tensor out = at::empty({5, 6});
    linear->forward(f.pass, x, out, Write::replace);
    EXPECT_LT(relative_difference(out, expected), 1e-6);  // fp32 sums of 4 terms
    linear->forward(f.pass, x, out, Write::accumulate);
    EXPECT_LT(relative_difference(out, 2 * expected), 1e-6);
    at::Tensor x_gradient = at::empty({5, 4});
    linear->input_gradient(f.pass, gradient, x_gradient, Write::replace);
    EXPECT_LT(relative_difference(x_gradient, gradient.mm(weight)), 1e-6);
  }
}

TEST(LayerBuilder, ReportsWeightAndBiasOnce) {
  Fixture f;
  const at::Tensor x = random({5, 4}, at::kFloat, 1), gradient = random({5, 6}, at::kFloat, 2);
  const auto linear = f.dense.linear({"one"}, {4, 6, /*bias=*/true});
  const ParameterList list = parameters_of(*linear);
  Report weight, bias;
  const SinkBinding bound_weight(*list[0], weight), bound_bias(*list[1], bias);
  linear->report_gradient(f.pass, gradient, x);
  EXPECT_EQ(weight.uses, 1);
  EXPECT_EQ(bias.uses, 1);
  EXPECT_TRUE(at::equal(weight.gradient, gradient.t().mm(x)));
  EXPECT_TRUE(at::allclose(bias.gradient, gradient.sum(0)));
}

// After a report the weight may have changed, so the gradient of the input would be wrong.
TEST(LayerBuilder, RefusesAnInputGradientAfterTheReport) {
  Fixture f;
  const auto linear = f.dense.linear({"one"}, {4, 6});
  parameters_of(*linear)[0]->value.zero_();
  const at::Tensor x = at::zeros({5, 4}), out = at::empty({5, 6}), x_gradient = at::empty({5, 4});
  linear->forward(f.pass, x, out, Write::replace);
  linear->report_gradient(f.pass, out, x);
  EXPECT_THROW(linear->input_gradient(f.pass, out, x_gradient, Write::replace), std::logic_error);
  linear->forward(f.pass, x, out, Write::replace);
  EXPECT_NO_THROW(linear->input_gradient(f.pass, out, x_gradient, Write::replace));
}

TEST(LayerBuilder, QuantizesTheMatricesThatAreNamed) {
  Fixture f;
  const auto named = [](const Parameter& matrix) -> std::optional<GroupFormat> {
    if (matrix.name.find("mlp") == std::string::npos) return std::nullopt;
    return GroupFormat{8, 64};
  };
  const QuantizedBuilder builder(std::make_unique<DenseBuilder>(f.ledger, at::kFloat), named, f.ledger);
  const auto mlp = builder.linear({"mlp.up"}, {64, 32, /*bias=*/true}),
             other = builder.linear({"q"}, {64, 32});
  EXPECT_TRUE(parameters_of(*mlp)[0]->codes);
  EXPECT_FALSE(parameters_of(*mlp)[1]->codes);  // a bias is not a matrix
  EXPECT_FALSE(parameters_of(*other)[0]->codes);
  const at::Tensor x = random({5, 64}, at::kFloat, 1);
  at::Tensor out = random({5, 32}, at::kFloat, 2);
  parameters_of(*mlp)[1]->value.zero_();
  mlp->forward(f.pass, x, out, Write::replace);
  EXPECT_EQ(out.abs().max().item<float>(), 0);  // codes are zero at first
}

TEST(Scratch, IsLentOnceAtATime) {
  Fixture f;
  const auto lend = [&] { return f.pass.scratch("buffer", {4}); };
  {
    const Scratch first = lend();
    EXPECT_THROW(lend(), std::logic_error);
    EXPECT_THROW(f.workspace.get(Owner::workspace, "buffer", {2}, at::kFloat), std::logic_error);
  }
  const void* address = nullptr;
  {
    const Scratch again = lend();
    address = again->const_data_ptr();
  }
  EXPECT_EQ(lend()->const_data_ptr(), address);  // the buffer is kept
}

}  // namespace
}  // namespace galore
