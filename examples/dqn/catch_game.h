// A game of catching: balls fall through a grid, drift sideways at random, and give a reward of 1 where the
// paddle is when they reach the last row, or -1 where it is not. Several balls are in the air at once, so a
// good player gives up one ball for the next two.
#pragma once

#include <torch/torch.h>

#include <array>
#include <random>
#include <vector>

class CatchGame {
 public:
  static constexpr int kSide = 10, kPlanes = 2, kActions = 3;  // left, stay, right
  static constexpr int kLength = 60, kBallEvery = 4;           // moves of an episode, moves between balls

  explicit CatchGame(uint64_t seed) : random_(seed) { restart(); }

  // Returns the planes of balls and paddle, 2 x 10 x 10.
  at::Tensor screen() const {
    const at::Tensor planes = torch::zeros({kPlanes, kSide, kSide});
    auto pixel = planes.accessor<float, 3>();
    for (const Ball& ball : balls_) pixel[0][ball.row][ball.column] = 1;
    pixel[1][kSide - 1][paddle_] = 1;
    return planes;
  }

  struct Result {
    double reward = 0;
    bool ended = false;
  };
  Result move(int action) {
    paddle_ = bounded(paddle_ + action - 1);
    Result result;
    std::vector<Ball> falling;
    for (Ball ball : balls_) {
      ball.row += 1;
      if (draw(10) < 3) ball.column = bounded(ball.column + (draw(2) == 0 ? -1 : 1));
      if (ball.row < kSide - 1)
        falling.push_back(ball);
      else
        result.reward += ball.column == paddle_ ? 1 : -1;
    }
    balls_ = falling;
    if (++moves_ % kBallEvery == 0) balls_.push_back({0, draw(kSide)});
    result.ended = moves_ == kLength;
    if (result.ended) restart();
    return result;
  }
  int draw(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }

 private:
  struct Ball {
    int row, column;
  };
  static int bounded(int column) { return std::max(0, std::min(kSide - 1, column)); }
  void restart() {
    moves_ = 0;
    paddle_ = draw(kSide);
    balls_ = {{0, draw(kSide)}};
  }

  std::mt19937_64 random_;
  std::vector<Ball> balls_;
  int paddle_ = 0, moves_ = 0;
};
