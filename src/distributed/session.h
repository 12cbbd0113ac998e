// The membership of this process in a run of many: it finds the others, joins their group and leaves it.
#pragma once

#include <memory>
#include <string>

#include "distributed/exchange.h"
#include "distributed/heartbeat.h"
#include "distributed/place.h"

namespace galore {

struct SessionOptions {
  std::string interface;          // of the network; "" chooses one
  double heartbeat_timeout = 15;  // seconds
  double exchange_timeout = 1800;
  double init_timeout = 60;
  bool on_gpu = false;  // the weights are on GPUs, one for each process of a machine
};

class Session {
 public:
  // Waits for all processes of the run. It is an Error if they do not come within init_timeout, and an Error
  // of the process that keeps the store if it cannot.
  Session(const ProcessPlace& place, const SessionOptions& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Collective& collective() { return *exchange_; }
  const std::string& summary() const { return summary_; }  // "4 processes on 2 hosts over 10.0.0.7"
  // Tells the others why this process fails. They end with the same line.
  void tell(const std::string& reason) { heartbeat_->tell(reason); }
  // Call it when the run is complete.
  void leave();

 private:
  void meet(const SessionOptions& options);
  void open_group(const SessionOptions& options);
  std::string key(const std::string& name) const { return "galore/" + place_.attempt + "/" + name; }

  ProcessPlace place_;
  bool left_ = false;
  std::string summary_;
  std::vector<Member> members_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Group> group_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace galore
