#include "distributed/session.h"

#include <unistd.h>

#include <filesystem>
#include <set>

#include "core/clock.h"
#include "core/errors.h"
#include "core/network_address.h"
#include "core/watchdog.h"

namespace galore {
namespace {

std::unique_ptr<Store> open_store(ProcessPlace& place, double timeout) {
  if (!place.file.empty()) return file_store(place.file, place.size);
  StorePlace address{place.master, place.port};
  return place.serves ? serve_store(address, timeout) : connect_store(address, timeout);
}

std::string place_text(const ProcessPlace& place) {
  return place.file.empty() ? fmt::format("{}:{}", place.master, place.port) : place.file;
}

}  // namespace

Session::Session(const ProcessPlace& place, const SessionOptions& options) : place_(place) {
  // A client of a port that belongs to another program waits without end and cannot be interrupted.
  const Watchdog watchdog(
      options.init_timeout + 10,
      fmt::format(
          "[distributed] rank {} of {}: no answer from {} in {:.0f} s: expected the store of rank 0 there",
          place.rank, place.size, place_text(place), options.init_timeout + 10));
  try {
    store_ = open_store(place_, options.init_timeout);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail("distributed", "rank {} of {}: no store at {}: {}", place.rank, place.size, place_text(place),
         first_line(error.what()));
  }
  meet(options);
  open_group(options);
}

// The group of a run that failed may have operations that never end, so its threads are left behind.
Session::~Session() {
  if (left_) return;
  static_cast<void>(exchange_.release());
  static_cast<void>(group_.release());
}

// Tells who this process is, and waits for the others.
void Session::meet(const SessionOptions& options) {
  const auto here = [this](int64_t rank) { return key("here/" + std::to_string(rank)); };
  if (store_->find(here(place_.rank)))
    fail("distributed", "{} is of a run that has ended, or rank {} was started twice: expected a new one",
         place_text(place_), place_.rank);
  store_->set(here(place_.rank), text_of(this_process(place_.rank)));
  const double end = steady_seconds() + options.init_timeout;
  for (int64_t rank = 0; rank < place_.size; ++rank) {
    auto facts = store_->find(here(rank));
    for (; !facts && steady_seconds() < end; facts = store_->find(here(rank))) ::usleep(5000);
    if (!facts)
      fail("distributed", "rank {} of {} did not come to {} in {:.0f} s", rank, place_.size,
           place_text(place_), options.init_timeout);
    members_.push_back(member_from(*facts));
  }
}

void Session::open_group(const SessionOptions& options) {
  GroupOptions group{place_.rank,  place_.size,   "", options.interface, options.exchange_timeout,
                     key("group"), options.on_gpu};
  if (group.interface.empty()) group.interface = environment_variable("GLOO_SOCKET_IFNAME").value_or("");
  std::set<std::string> hosts;
  for (const Member& member : members_) hosts.insert(member.host);
  if (hosts.size() == 1)
    group.address = "127.0.0.1";
  else if (!place_.master.empty())
    group.address = address_towards(place_.master, place_.port);
  else
    group.address = members_[static_cast<size_t>(place_.rank)].host;
  // Our line names the process that failed; gloo's traces would hide it.
  try {
    group_ = make_group(*store_, group);
  } catch (const std::exception& error) {
    fail("distributed", "rank {} of {}: the processes cannot connect over {}: {}", place_.rank, place_.size,
         group.interface.empty() ? group.address : group.interface, first_line(error.what()));
  }
  heartbeat_ =
      std::make_unique<Heartbeat>(store_->clone(), key(""), members_, place_.rank, options.heartbeat_timeout);
  exchange_ =
      std::make_unique<Exchange>(*group_, place_.rank, place_.size,
                                 [this](const std::exception& error) { return heartbeat_->explain(error); });
  summary_ =
      fmt::format("{} processes on {} host{} over {}", place_.size, hosts.size(),
                  hosts.size() == 1 ? "" : "s", group.interface.empty() ? group.address : group.interface);
}

void Session::leave() {
  exchange_->gather({0});  // nobody leaves before all are through
  heartbeat_->leave(place_.serves);
  left_ = true;
  std::error_code ignored;
  if (!place_.file.empty() && place_.rank == 0) std::filesystem::remove(place_.file, ignored);
}

}  // namespace galore
