// Watches the other processes of a run, and finds out which of them failed.
//
// Every process writes a growing number into the store, twice a second, and reads the others' numbers. A
// process that was silent for `timeout` seconds is lost. A lost connection is noticed much earlier, by gloo,
// but gloo names a neighbour and not the process that failed; explain() asks the store and the system.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/watchdog.h"
#include "distributed/group.h"

namespace galore {

// A process as the others know it.
struct Member {
  int64_t rank = 0, pid = 0;
  std::string host;
  std::string process_space;  // of the process numbers: the same on one machine outside of containers
  std::string text() const;   // "rank 3 (host b, pid 812)"
};
Member this_process(int64_t rank);
std::string text_of(const Member& member);
Member member_from(const std::string& text);

class Heartbeat {
 public:
  // The store is a client of this object alone.
  Heartbeat(std::unique_ptr<Store> store, std::string prefix, std::vector<Member> members, int64_t rank,
            double timeout);
  // Stops without a word to the others.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // Tells the others why this process fails.
  void tell(const std::string& reason);
  // Tells the others that this process is through, and waits for them if it keeps the store.
  void leave(bool keeps_store);
  // Returns the line for the user after a connection was lost, and tells the others that this process ends
  // because of it.
  std::string explain(const std::exception& error);

 private:
  void work();
  void beat();
  // Returns the line about a process that has failed, or "" as long as none is known.
  std::string failure();
  // Returns the line about a process that was silent for more than `longest` seconds, or "".
  std::string silent_one(double longest);
  bool has_ended(const Member& member) const;
  Watchdog watch() const;
  std::string key(const char* kind, int64_t rank) const;
  void stop();
  [[noreturn]] void end_program(const std::string& line);

  struct Seen {
    std::string beat;
    double changed = 0;
  };
  std::string prefix_;
  std::vector<Member> members_;
  int64_t rank_;
  double timeout_;
  std::mutex store_mutex_;
  std::unique_ptr<Store> store_;
  std::vector<Seen> seen_;
  int64_t beats_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false, explaining_ = false;
  std::thread thread_;
};

}  // namespace galore
