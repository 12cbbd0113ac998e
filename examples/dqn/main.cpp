// Learns a game online with double DQN, by any head of galore's value heads and any of its optimizers:
//
//   dqn [head=hl_gauss] [optim=adamw_torch] [optim_args=...] [moves=30000] [learning_rate=0.0005] [seed=1]
//       [gain=0]
//
// The network is convolutional and reads the screen of a small game (catch_game.h). The parts are those of
// DQN (Mnih et al., 2015): a replay buffer, a target network that is a copy made every few hundred updates,
// and exploration that falls with time; the network chooses the next action that the target network values
// (arXiv 1509.06461). With head=hl_gauss the values are learned by classification (arXiv 2403.03950), with
// head=mse by regression. 30000 moves take about two minutes on two cores.
//
// The exit status is 0 if the mean reward of an episode is then at least `gain` above that of a player who
// moves at random, 1 if not, and 2 if an argument is refused.
#include <torch/torch.h>

#include <cstdio>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch_game.h"
#include "galore/heads/value_learning.h"
#include "galore/optim/autograd_optimizer.h"

namespace {

constexpr double kDiscount = 0.95;
constexpr int64_t kBatch = 32, kBufferSize = 20000, kFirstUpdate = 500, kTargetEvery = 250;

struct Settings {
  std::string head = "hl_gauss", optim = "adamw_torch", optim_args;
  double learning_rate = 0.0005, gain = 0;
  int64_t moves = 30000, seed = 1;
};

Settings settings_of(int count, char** arguments) {
  std::map<std::string, std::string> given;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    const size_t sign = word.find('=');
    if (sign == std::string::npos) throw std::runtime_error("expected key=value, given " + word);
    given[word.substr(0, sign)] = word.substr(sign + 1);
  }
  Settings settings;
  const auto take = [&](const char* key, const auto& set) {
    const auto found = given.extract(key);
    if (!found.empty()) set(found.mapped());
  };
  take("head", [&](const std::string& text) { settings.head = text; });
  take("optim", [&](const std::string& text) { settings.optim = text; });
  take("optim_args", [&](const std::string& text) { settings.optim_args = text; });
  take("learning_rate", [&](const std::string& text) { settings.learning_rate = std::stod(text); });
  take("gain", [&](const std::string& text) { settings.gain = std::stod(text); });
  take("moves", [&](const std::string& text) { settings.moves = std::stoll(text); });
  take("seed", [&](const std::string& text) { settings.seed = std::stoll(text); });
  if (!given.empty()) throw std::runtime_error("unknown key " + given.begin()->first);
  return settings;
}

// Kernels are kept as matrices (outputs x inputs of one place), so that optimizers that project or
// orthonormalize matrices treat them as the matrices that they are.
struct Network : torch::nn::Module {
  static constexpr int64_t kChannels = 16, kWidth = 128, kKernel = 3;
  static constexpr int64_t kPlaces = CatchGame::kSide * CatchGame::kSide;

  explicit Network(int64_t outputs) {
    const int64_t planes = CatchGame::kPlanes, window = kKernel * kKernel;
    first = register_parameter("first_weight", torch::randn({kChannels, planes * window}) * 0.3);
    second = register_parameter("second_weight", torch::randn({kChannels, kChannels * window}) * 0.1);
    hidden = register_module("hidden", torch::nn::Linear(kChannels * kPlaces, kWidth));
    head = register_module("head", torch::nn::Linear(kWidth, CatchGame::kActions * outputs));
    torch::NoGradGuard no_gradient;
    head->weight.zero_();  // the first values are the middle of the support
    head->bias.zero_();
  }
  // Returns batch x actions x outputs.
  at::Tensor forward(const at::Tensor& screens) {
    at::Tensor x = torch::relu(torch::conv2d(screens, kernel(first), {}, 1, 1));
    x = torch::relu(torch::conv2d(x, kernel(second), {}, 1, 1));
    x = head(torch::relu(hidden(x.flatten(1))));
    return x.view({screens.size(0), CatchGame::kActions, -1});
  }
  void copy_from(const Network& other) {
    torch::NoGradGuard no_gradient;
    const auto from = other.parameters();
    for (size_t i = 0; i < from.size(); ++i) parameters()[i].copy_(from[i]);
  }

  at::Tensor first, second;
  torch::nn::Linear hidden{nullptr}, head{nullptr};

 private:
  static at::Tensor kernel(const at::Tensor& matrix) {
    return matrix.view({matrix.size(0), -1, kKernel, kKernel});
  }
};

struct Transitions {
  at::Tensor screens, actions, rewards, discounts, next_screens;
};

// Holds the last moves, the oldest of which the newest replaces.
class ReplayBuffer {
 public:
  ReplayBuffer() {
    const std::vector<int64_t> shape{kBufferSize, CatchGame::kPlanes, CatchGame::kSide, CatchGame::kSide};
    all_ = {torch::zeros(shape), torch::zeros({kBufferSize}, torch::kLong), torch::zeros({kBufferSize}),
            torch::zeros({kBufferSize}), torch::zeros(shape)};
  }
  void add(const at::Tensor& screen, int action, const CatchGame::Result& result, const at::Tensor& next) {
    const int64_t place = count_++ % kBufferSize;
    all_.screens[place] = screen;
    all_.actions[place] = action;
    all_.rewards[place] = result.reward;
    all_.discounts[place] = result.ended ? 0.0 : kDiscount;
    all_.next_screens[place] = next;
  }
  Transitions draw() const {
    const at::Tensor rows = torch::randint(std::min(count_, kBufferSize), {kBatch}, torch::kLong);
    const auto pick = [&](const at::Tensor& all) { return all.index_select(0, rows); };
    return {pick(all_.screens), pick(all_.actions), pick(all_.rewards), pick(all_.discounts),
            pick(all_.next_screens)};
  }

 private:
  Transitions all_;
  int64_t count_ = 0;
};

class Learner {
 public:
  explicit Learner(const Settings& settings)
      : support_(support_of(settings.head)),
        network_(support_.num_outputs()),
        target_(support_.num_outputs()),
        optimizer_(network_.named_parameters().pairs(), options_of(settings)),
        learning_rate_(settings.learning_rate) {
    target_.copy_from(network_);
  }

  int best_action(const at::Tensor& screen) {
    torch::NoGradGuard no_gradient;
    return static_cast<int>(values(network_.forward(screen.unsqueeze(0)))[0].argmax().item<int64_t>());
  }

  double update(const Transitions& batch) {
    at::Tensor targets;
    {
      torch::NoGradGuard no_gradient;
      const at::Tensor best = values(network_.forward(batch.next_screens)).argmax(1);
      targets = galore::one_step_targets(support_, batch.rewards, batch.discounts,
                                         of_actions(target_.forward(batch.next_screens), best));
    }
    optimizer_.begin_update(learning_rate_);
    const at::Tensor outputs = of_actions(network_.forward(batch.screens), batch.actions);
    const at::Tensor loss = galore::value_losses(support_, outputs, targets).mean();
    loss.backward();
    optimizer_.finish_update();
    if (++updates_ % kTargetEvery == 0) target_.copy_from(network_);
    return loss.item<double>() - galore::target_entropies(support_, targets).mean().item<double>();
  }
  const std::string& summary() const { return optimizer_.optimizer().grouping().summary; }

 private:
  static galore::ValueSupport support_of(const std::string& head) {
    galore::ValueSupport support;
    support.loss = galore::value_loss_from_name(head);
    support.v_min = -6, support.v_max = 6;  // at most one ball in four moves: |value| < 1 / (1 - 0.95^4)
    galore::check(support);
    return support;
  }
  static galore::OptimizerOptions options_of(const Settings& settings) {
    galore::OptimizerOptions options;
    options.settings = galore::resolve_optimizer(settings.optim, settings.optim_args);
    options.target_modules = {"second", "hidden"};
    return options;
  }
  at::Tensor values(const at::Tensor& outputs) const { return galore::value_readouts(support_, outputs); }
  // Returns the outputs of one action of each row.
  static at::Tensor of_actions(const at::Tensor& outputs, const at::Tensor& actions) {
    const at::Tensor index = actions.view({-1, 1, 1}).expand({-1, 1, outputs.size(2)});
    return outputs.gather(1, index).squeeze(1);
  }

  galore::ValueSupport support_;
  Network network_, target_;
  galore::AutogradOptimizer optimizer_;
  double learning_rate_;
  int64_t updates_ = 0;
};

// Returns the mean reward of an episode. `choose` returns the next move of a game.
template <typename Choose>
double reward_of_episodes(uint64_t seed, int episodes, const Choose& choose) {
  CatchGame game(seed);
  double sum = 0;
  for (int ended = 0; ended < episodes;) {
    const CatchGame::Result result = game.move(choose(game));
    sum += result.reward;
    ended += result.ended;
  }
  return sum / episodes;
}

struct Rewards {
  double learner = 0, random = 0;
};

Rewards play(const Settings& settings) {
  torch::manual_seed(settings.seed);
  Learner learner(settings);
  std::printf("%s\n", learner.summary().c_str());
  const auto best = [&](const CatchGame& state) { return learner.best_action(state.screen()); };
  CatchGame game(static_cast<uint64_t>(settings.seed));
  ReplayBuffer buffer;
  at::Tensor screen = game.screen();
  double loss = 0;
  for (int64_t move = 1; move <= settings.moves; ++move) {
    // Exploration falls from all moves to one in twenty within the first third of the run.
    const double explored = 3.0 * static_cast<double>(move) / static_cast<double>(settings.moves);
    const double random = std::max(0.05, 1 - explored);
    const int action =
        game.draw(10000) < 10000 * random ? game.draw(CatchGame::kActions) : learner.best_action(screen);
    const CatchGame::Result result = game.move(action);
    const at::Tensor next = game.screen();
    buffer.add(screen, action, result, next);
    screen = next;
    if (move >= kFirstUpdate) loss = learner.update(buffer.draw());
    if (move % 5000 == 0)
      std::printf("move %lld  loss above the targets' entropy %.4f  reward of an episode %.2f\n",
                  static_cast<long long>(move), loss, reward_of_episodes(7, 10, best));
  }
  const auto any = [](CatchGame& state) { return state.draw(CatchGame::kActions); };
  return {reward_of_episodes(77, 30, best), reward_of_episodes(77, 100, any)};
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const Settings settings = settings_of(count, arguments);
    const Rewards rewards = play(settings);
    std::printf("head %s, optimizer %s, seed %lld: reward of an episode %.2f, of random moves %.2f\n",
                settings.head.c_str(), settings.optim.c_str(), static_cast<long long>(settings.seed),
                rewards.learner, rewards.random);
    return rewards.learner >= rewards.random + settings.gain ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "dqn: %s\n", error.what());
    return 2;
  }
}
