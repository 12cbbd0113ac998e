#include "core/gradient_tap.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace galore {
namespace {

class Recorder : public GradientSink {
 public:
  void add_product(const at::Tensor&, const at::Tensor&) override { heard += "product "; }
  void add_rows(const at::Tensor&, const at::Tensor&) override { heard += "rows "; }
  void add(const at::Tensor&) override { heard += "sum "; }
  void use_done() override { heard += "done "; }
  std::string heard;
};

class CountingTap : public GradientTap {
 public:
  using GradientTap::GradientTap;
  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override {
    tokens += input.size(0);
    GradientTap::add_product(output_gradient, input);
  }
  int64_t tokens = 0;
};

void report(Parameter& parameter) {
  parameter.sink->add_product(at::zeros({5, 2}), at::zeros({5, 3}));
  parameter.sink->add_rows(at::zeros({5}, at::kLong), at::zeros({5, 3}));
  parameter.sink->add(at::zeros({2, 3}));
  parameter.sink->use_done();
}

TEST(GradientTap, SeesReportsAndPassesThemOn) {
  Parameter parameter;
  Recorder recorder;
  const SinkBinding binding(parameter, recorder);
  CountingTap tap(parameter);
  report(parameter);
  EXPECT_EQ(tap.tokens, 5);
  EXPECT_EQ(recorder.heard, "product rows sum done ");
}

TEST(GradientTap, RestoresTheSinkBehindIt) {
  Parameter parameter;
  Recorder recorder;
  const SinkBinding binding(parameter, recorder);
  {
    CountingTap first(parameter), second(parameter);
    EXPECT_EQ(parameter.sink, &second);
    report(parameter);
    EXPECT_EQ(first.tokens, 5) << "taps form a chain";
  }
  EXPECT_EQ(parameter.sink, &recorder);
}

TEST(GradientTap, WorksOnAFrozenParameter) {
  Parameter parameter;
  {
    CountingTap tap(parameter);
    report(parameter);
    EXPECT_EQ(tap.tokens, 5);
  }
  EXPECT_EQ(parameter.sink, nullptr);
}

}  // namespace
}  // namespace galore
