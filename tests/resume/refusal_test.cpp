// Under ulimit -v, a run that would need more memory is refused in one line, and a run that is accepted
// completes.
#include <sys/wait.h>

#include <cstdlib>

#include "program.h"

namespace galore {
namespace {

// AddressSanitizer maps more address space than any of these limits allows.
#ifndef __SANITIZE_ADDRESS__

class Refusal : public ProgramTest {
 protected:
  // Returns the exit status of `galore train` under ulimit -v, given in KiB. Its stderr is in errors_.
  int run_within(int64_t kibibytes, const Settings& settings) {
    std::string line =
        fmt::format("ulimit -v {}; OMP_WAIT_POLICY=passive exec '{}'", kibibytes, GALORE_PROGRAM);
    for (const std::string& argument : command(settings)) line += " '" + argument + "'";
    const Path errors = folder_ / "errors";
    const int status = std::system((line + " >/dev/null 2>'" + errors.string() + "'").c_str());
    errors_ = file_text(errors);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  std::string errors_;
};

TEST_F(Refusal, OfARunThatUlimitWouldEnd) {
  const Settings large = {output("run"), "device=cpu", "max_steps=1", "max_length=128"};
  const auto with = [&](int64_t kibibytes, const char* more) {
    Settings settings = large;
    settings.emplace_back(more);
    return run_within(kibibytes, settings);
  };
  constexpr int64_t kLimit = 800000;
  EXPECT_EQ(with(kLimit, "per_device_train_batch_size=4096"), 1);
  EXPECT_EQ(errors_.find("galore: [memory] expected at most "), 0u) << errors_;
  EXPECT_NE(errors_.find(" (ulimit -v), the run needs "), std::string::npos) << errors_;
  EXPECT_EQ(errors_.find('\n'), errors_.size() - 1) << "one line";
  EXPECT_EQ(with(kLimit, "per_device_train_batch_size=256"), 0) << errors_;
  EXPECT_NE(errors_.find("(ulimit -v)"), std::string::npos) << errors_;
}

#endif

}  // namespace
}  // namespace galore
