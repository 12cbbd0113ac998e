// Trains a module of libtorch's C++ front end with any of galore's optimizers:
//
//   embed [PRESET [OPTIM_ARGS]]    such as  embed galore_adamw_8bit_layerwise rank=8,update_proj_gap=20
//
// The module learns the outputs of a teacher for random points. The teacher has the same form and other
// weights. The exit status is 0 if the module has come closer to the teacher, 1 if not, and 2 if galore
// refuses the optimizer.
#include <torch/torch.h>

#include <cstdio>
#include <exception>
#include <string>

#include "galore/optim/autograd_optimizer.h"

namespace {

struct Network : torch::nn::Module {
  torch::nn::Linear encoder{nullptr}, middle{nullptr}, decoder{nullptr};

  Network() {
    encoder = register_module("encoder", torch::nn::Linear(32, 64));
    middle = register_module("middle", torch::nn::Linear(64, 64));
    decoder = register_module("decoder", torch::nn::Linear(64, 8));
  }
  at::Tensor forward(const at::Tensor& points) {
    return decoder(torch::tanh(middle(torch::tanh(encoder(points)))));
  }
};

double loss_after_training(const std::string& preset, const std::string& optim_args, double& first_loss) {
  torch::manual_seed(1);
  Network teacher, network;
  galore::OptimizerOptions options;
  options.settings = galore::resolve_optimizer(preset, optim_args);
  options.target_modules = {"encoder", "middle"};  // or "all-linear"; other weights are not projected
  galore::AutogradOptimizer optimizer(network.named_parameters().pairs(), options);
  std::printf("%s\n", optimizer.optimizer().grouping().summary.c_str());

  constexpr int kSteps = 200, kMicroBatches = 2;
  double loss_of_step = 0;
  for (int step = 0; step < kSteps; ++step) {
    loss_of_step = 0;
    // The caller owns the schedule: here the rate falls linearly.
    optimizer.begin_update(0.02 * (kSteps - step) / kSteps, kMicroBatches);
    for (int i = 0; i < kMicroBatches; ++i) {
      const at::Tensor points = torch::randn({64, 32});
      const at::Tensor wanted = teacher.forward(points).detach();
      const at::Tensor loss = torch::mse_loss(network.forward(points), wanted) / kMicroBatches;
      loss.backward();
      loss_of_step += loss.item<double>();
    }
    const galore::UpdateReport report = optimizer.finish_update();
    if (step == 0) first_loss = loss_of_step;
    if (step % 50 == 0 || step + 1 == kSteps)
      std::printf("step %d  loss %.5f  gradient norm %.3g\n", step + 1, loss_of_step, report.gradient_norm);
  }
  return loss_of_step;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    double first_loss = 0;
    const double last_loss = loss_after_training(count > 1 ? arguments[1] : "galore_adamw",
                                                 count > 2 ? arguments[2] : "", first_loss);
    return last_loss < 0.5 * first_loss ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "embed: %s\n", error.what());
    return 2;
  }
}
