// Runs build/.../galore as a child process, in a folder with the tiny model and its tokens.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <optional>

#include "checkpoint/safetensors.h"
#include "train/run_state.h"
#include "train/test_run.h"

namespace galore {

class Program {
 public:
  // `largest_file` is RLIMIT_FSIZE of the child. Its stderr is a pipe, to which no limit applies. `variables`
  // are added to its environment.
  using Environment = std::vector<std::pair<std::string, std::string>>;
  explicit Program(const std::vector<std::string>& arguments, std::optional<rlim_t> largest_file = {},
                   const Environment& variables = {}) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("test", "no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      if (largest_file) {
        const rlimit limit{*largest_file, *largest_file};
        ::setrlimit(RLIMIT_FSIZE, &limit);
      }
      for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
      start(arguments, ends[1]);
    }
    ::close(ends[1]);
    read_end_ = ends[0];
  }
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(read_end_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(int signal) const { ::kill(pid_, signal); }
  pid_t pid() const { return pid_; }
  // Waits until stderr holds `text`, the program ends or `seconds` have passed. Returns true when stderr
  // holds the text.
  bool wait_for(const std::string& text, double seconds = 60) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (errors_.find(text) == std::string::npos && std::chrono::steady_clock::now() < end)
      if (!read_some(20)) break;
    return errors_.find(text) != std::string::npos;
  }
  // Returns the exit status (0 to 255), or -n when signal n ended the program.
  int wait() {
    while (read_some(1000)) {
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }
  // Return the text that the program has written to stderr so far, and its last line.
  const std::string& errors() const { return errors_; }
  std::string last_line() const {
    const std::string text = errors_.substr(0, errors_.size() - 1);
    return text.substr(text.rfind('\n') + 1);
  }

 private:
  [[noreturn]] static void start(const std::vector<std::string>& arguments, int errors) {
    const int nothing = ::open("/dev/null", O_WRONLY);
    ::dup2(nothing, STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
    // The barriers of two threads spin for seconds when other tests use the processors.
    ::setenv("OMP_WAIT_POLICY", "passive", 1);
    std::vector<char*> list{const_cast<char*>(GALORE_PROGRAM)};
    for (const std::string& argument : arguments) list.push_back(const_cast<char*>(argument.c_str()));
    list.push_back(nullptr);
    ::execv(GALORE_PROGRAM, list.data());
    ::_exit(127);
  }
  // Returns false at the end of the stream.
  bool read_some(int milliseconds) {
    pollfd waiting{read_end_, POLLIN, 0};
    if (::poll(&waiting, 1, milliseconds) <= 0) return true;
    char buffer[4096];
    const ssize_t got = ::read(read_end_, buffer, sizeof buffer);
    if (got > 0) errors_.append(buffer, static_cast<size_t>(got));
    return got > 0;
  }

  pid_t pid_ = -1;
  int read_end_ = -1;
  std::string errors_;
};

class ProgramTest : public TestRun {
 protected:
  using Environment = Program::Environment;
  // Returns `galore train` with base(), a constant rate (so that another number of updates does not change
  // the results) and `settings`.
  std::vector<std::string> command(const Settings& settings) const {
    std::vector<std::string> arguments = {"train"};
    const Settings own = {"threads=1", "lr_scheduler_type=constant", "disable_tqdm=true"};
    for (const Settings& part : {base(), own, settings})
      arguments.insert(arguments.end(), part.begin(), part.end());
    return arguments;
  }
  int run(const Settings& settings) { return Program(command(settings)).wait(); }

  // Expects a complete checkpoint in which every tensor can be read.
  void expect_loadable(const Path& checkpoint) const {
    read_run_state(checkpoint);
    for (const char* name : {"model.safetensors", "optimizer.safetensors"}) {
      const SafetensorsReader reader(checkpoint / name);
      for (const TensorInfo& info : reader.tensors()) EXPECT_TRUE(reader.read(info.name).defined());
    }
  }
  size_t hidden_entries(const std::string& name) const {
    size_t count = 0;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / name, none))
      count += entry.path().filename().string().front() == '.';
    return count;
  }
};

}  // namespace galore
