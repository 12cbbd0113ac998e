#include "distributed/heartbeat.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "core/clock.h"
#include "core/errors.h"

namespace galore {
namespace {

using std::chrono::duration;

constexpr double kInterval = 0.5;  // seconds between beats
// A process that misses this many seconds of beats after a connection was lost is the one that failed.
constexpr double kSilence = 2.5;
constexpr double kExplainSeconds = 4;

void print_line(const std::string& line) {
  std::fputs(("galore: " + line + "\n").c_str(), stderr);
  std::fflush(stderr);
}

// Returns true if the process has ended, although its parent may not know yet.
bool is_dead(int64_t pid) {
  if (::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return true;
  // read_file() would trust the size of the file, which is 0.
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string stat(std::istreambuf_iterator<char>(file), {});
  const size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && name_end + 2 < stat.size() && stat[name_end + 2] == 'Z';
}

}  // namespace

std::string Member::text() const { return fmt::format("rank {} (host {}, pid {})", rank, host, pid); }

Member this_process(int64_t rank) {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  std::error_code error;
  const auto space = std::filesystem::read_symlink("/proc/self/ns/pid", error);
  return {rank, ::getpid(), host, std::string(host) + " " + space.string()};
}

std::string text_of(const Member& member) {
  return fmt::format("{}\n{}\n{}\n{}", member.rank, member.pid, member.host, member.process_space);
}

Member member_from(const std::string& text) {
  Member member;
  std::istringstream facts(text);
  facts >> member.rank >> member.pid >> member.host >> std::ws;
  if (!std::getline(facts, member.process_space))
    fail("distributed", "expected the facts of a process in the store, given '{}'", text);
  return member;
}

Heartbeat::Heartbeat(std::unique_ptr<Store> store, std::string prefix, std::vector<Member> members,
                     int64_t rank, double timeout)
    : prefix_(std::move(prefix)),
      members_(std::move(members)),
      rank_(rank),
      timeout_(timeout),
      store_(std::move(store)),
      seen_(members_.size(), Seen{"", steady_seconds()}) {
  beat();
  thread_ = std::thread([this] { work(); });
}

Heartbeat::~Heartbeat() { stop(); }

void Heartbeat::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::string Heartbeat::key(const char* kind, int64_t rank) const {
  return fmt::format("{}{}/{}", prefix_, kind, rank);
}

void Heartbeat::beat() {
  const std::lock_guard lock(store_mutex_);
  store_->set(key("beat", rank_), std::to_string(++beats_));
}

// Only a process that is silent is a reason to end the program here. All other failures close connections,
// which the thread that trains notices, and it may save the work first.
void Heartbeat::work() {
  double unreachable_since = 0;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, duration<double>(kInterval), [this] { return stopping_; })) {
    if (explaining_) return;
    lock.unlock();
    std::string line;
    try {
      const Watchdog watchdog = watch();
      beat();
      line = silent_one(timeout_);
      unreachable_since = 0;
    } catch (const std::exception&) {
      if (unreachable_since == 0) unreachable_since = steady_seconds();
      if (steady_seconds() - unreachable_since > timeout_)
        line = members_[0].text() + " is gone: the store cannot be reached";
    }
    lock.lock();
    if (stopping_ || explaining_) return;
    if (!line.empty()) end_program("[distributed] " + line);
  }
}

// An operation of gloo cannot be interrupted, so the program ends here.
void Heartbeat::end_program(const std::string& line) {
  print_line(line);
  ::_exit(1);
}

bool Heartbeat::has_ended(const Member& member) const {
  return member.process_space == members_[static_cast<size_t>(rank_)].process_space && is_dead(member.pid);
}

std::string Heartbeat::silent_one(double longest) {
  const std::lock_guard lock(store_mutex_);
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    const std::string beat = store_->find(key("beat", member.rank)).value_or("");
    if (beat != seen_[i].beat) seen_[i] = {beat, steady_seconds()};
    const double silence = steady_seconds() - seen_[i].changed;
    if (member.rank != rank_ && silence > longest && !store_->find(key("left", member.rank)))
      return fmt::format("{} is gone: it was silent for {:.0f} s", member.text(), silence);
  }
  return "";
}

std::string Heartbeat::failure() {
  std::vector<bool> ended;
  for (const Member& member : members_) ended.push_back(member.rank != rank_ && has_ended(member));
  {
    const std::lock_guard lock(store_mutex_);
    for (const Member& member : members_)
      if (const auto reason = store_->find(key("error", member.rank)); reason && member.rank != rank_)
        return fmt::format("{}: {}", member.text(), *reason);
    // A process that ends because of another one says so before.
    for (size_t i = 0; i < members_.size(); ++i)
      if (ended[i] && !store_->find(key("left", members_[i].rank)))
        return members_[i].text() + " is gone: its process has ended";
  }
  return silent_one(kSilence);
}

// A store whose process is frozen or behind a cut link never answers, and nothing interrupts the question.
Watchdog Heartbeat::watch() const {
  const double longest = timeout_ + kExplainSeconds;
  return {longest, fmt::format("[distributed] the store did not answer for {:.0f} s: {}, its launcher or the "
                               "link to them is gone",
                               longest, members_[0].text())};
}

void Heartbeat::tell(const std::string& reason) {
  const Watchdog watchdog = watch();
  try {
    const std::lock_guard lock(store_mutex_);
    store_->set(key("error", rank_), reason);
  } catch (const std::exception&) {
    // The process that keeps the store is gone, so nobody can be told.
  }
}

void Heartbeat::leave(bool keeps_store) {
  const Watchdog watchdog = watch();
  stop();
  try {
    const std::lock_guard lock(store_mutex_);
    store_->set(key("left", rank_), "1");
    const double end = steady_seconds() + kExplainSeconds;
    const auto is_here = [this](const Member& member) { return !store_->find(key("left", member.rank)); };
    while (keeps_store && std::any_of(members_.begin(), members_.end(), is_here) && steady_seconds() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  } catch (const std::exception&) {
    // The process that keeps the store has left already.
  }
}

std::string Heartbeat::explain(const std::exception& error) {
  const Watchdog watchdog = watch();
  {
    const std::lock_guard lock(mutex_);
    explaining_ = true;
  }
  const double end = steady_seconds() + kExplainSeconds;
  std::string line;
  try {
    while (line.empty() && steady_seconds() < end) {
      line = failure();
      if (line.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    const std::lock_guard lock(store_mutex_);
    store_->set(key("left", rank_), "1");
  } catch (const std::exception&) {
    if (line.empty()) line = members_[0].text() + " is gone: its store cannot be reached";
  }
  return "[distributed] " + (line.empty() ? "a connection was lost: " + first_line(error.what()) : line);
}

}  // namespace galore
