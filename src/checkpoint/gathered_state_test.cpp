// Tests files with the state of several processes. Threads play the processes.
#include "checkpoint/gathered_state.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <barrier>
#include <functional>
#include <thread>

#include "core/errors.h"
#include "core/silent_collective.h"
#include "core/test_folder.h"
#include "core/test_message.h"

namespace galore {
namespace {

struct MeetingPlace {
  std::barrier<> barrier{2};
  std::string text;
  at::Tensor bytes;
  int brought = 0;
};

class OneOfTwo : public SilentCollective {
 public:
  OneOfTwo(MeetingPlace& place, int index) : SilentCollective(index, 2), place_(place) {}
  std::string text_of(int process, const std::string& text) override {
    if (process == index()) place_.text = text;
    place_.barrier.arrive_and_wait();
    std::string found = place_.text;
    place_.barrier.arrive_and_wait();
    return found;
  }
  void bring_to_first(int, const at::Tensor& bytes) override {
    if (index() == 1) place_.bytes = bytes;
    place_.barrier.arrive_and_wait();
    if (index() == 0) {
      at::Tensor received = bytes;
      received.copy_(place_.bytes);
      ++place_.brought;
    }
    place_.barrier.arrive_and_wait();
  }

 private:
  MeetingPlace& place_;
};

// The state of three weights. Process 0 owns the first one, process 1 the second one, and both have the
// third.
class Weights {
 public:
  explicit Weights(int process) : process_(process) {}
  void visit(StateVisitor& visitor) {
    for (int owner = 0; owner < 3; ++owner) {
      const std::string prefix = std::string(1, static_cast<char>('a' + owner)) + ".";
      const bool is_here = owner == 2 || owner == process_ || process_ < 0;
      if (owner < 2 && process_ >= 0 && visitor.owned(prefix, owner, is_here)) continue;
      int64_t step = 7 + owner;
      visitor.scalar(prefix + "step", step);
      if (!is_here) continue;
      at::Tensor codes = at::full({5}, owner, at::kByte),
                 moment = at::arange(6.0f).view({2, 3}) * (owner + 1);
      visitor.tensor(prefix + "codes", codes);
      visitor.tensor(prefix + "moment", moment);
    }
  }

 private:
  int process_;  // -1: one that has everything
};

// Gathers the state in both processes, and calls `write` in the first one.
void gather_state(MeetingPlace& place, const std::function<void(GatheredState&)>& write) {
  std::vector<std::jthread> threads;
  for (int process = 0; process < 2; ++process)
    threads.emplace_back([&, process] {
      OneOfTwo collective(place, process);
      GatheredState state(collective);
      Weights(process).visit(state);
      state.meet();
      if (process == 0) write(state);
      state.serve();
    });
}

TEST(GatheredStates, WriteTheFileOfOneProcess) {
  const TestFolder folder;
  StateWriter all;
  Weights(-1).visit(all);
  all.write(folder / "one");
  MeetingPlace place;
  gather_state(place, [&](GatheredState& state) { state.write(folder / "many"); });
  EXPECT_EQ(read_file(folder / "many"), read_file(folder / "one"));
  EXPECT_EQ(place.brought, 3);  // one scalar and two tensors
}

TEST(GatheredStates, EndTogetherWhenNothingCanBeWritten) {
  MeetingPlace place;
  gather_state(place, [](GatheredState&) {});
  EXPECT_EQ(place.brought, 3);
}

TEST(GatheredStates, AreReadByTheirOwners) {
  const TestFolder folder;
  StateWriter all;
  Weights(-1).visit(all);
  all.write(folder / "one");
  StateReader reader(folder / "one");
  Weights(1).visit(reader);
  reader.finish();  // nothing is missing, and a's tensors belong to somebody
}

TEST(GatheredStates, CannotBeWrittenAlone) {
  GatheredState state(single_process());
  EXPECT_TRUE(contains(message_of([&] { Weights(1).visit(state); }), "exchange_updates=all"));
}

}  // namespace
}  // namespace galore
