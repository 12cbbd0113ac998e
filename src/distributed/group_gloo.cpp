// c10d's stores and its group over gloo.
#include <c10/util/Logging.h>

#include <cstdlib>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>

#include "core/errors.h"
#include "distributed/group.h"

namespace galore {
namespace {

std::chrono::milliseconds milliseconds_of(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

class C10dStore : public Store {
 public:
  explicit C10dStore(c10::intrusive_ptr<c10d::Store> store) : store_(std::move(store)) {}
  void set(const std::string& key, const std::string& value) override {
    store_->set(key, std::vector<uint8_t>(value.begin(), value.end()));
  }
  std::optional<std::string> find(const std::string& key) override {
    if (!store_->check({key})) return std::nullopt;
    const std::vector<uint8_t> value = store_->get(key);
    return std::string(value.begin(), value.end());
  }
  std::unique_ptr<Store> clone() override { return std::make_unique<C10dStore>(store_->clone()); }
  const c10::intrusive_ptr<c10d::Store>& store() const { return store_; }

 private:
  c10::intrusive_ptr<c10d::Store> store_;
};

class C10dPending : public Pending {
 public:
  C10dPending(c10::intrusive_ptr<c10d::Work> work, std::vector<at::Tensor> tensors)
      : work_(std::move(work)), tensors_(std::move(tensors)) {}
  void wait() override { work_->wait(); }

 private:
  c10::intrusive_ptr<c10d::Work> work_;
  std::vector<at::Tensor> tensors_;
};

class C10dGroup : public Group {
 public:
  // `on_gpu` is null if all tensors are on the CPU.
  C10dGroup(c10::intrusive_ptr<c10d::Backend> on_cpu, c10::intrusive_ptr<c10d::Backend> on_gpu)
      : on_cpu_(std::move(on_cpu)), on_gpu_(std::move(on_gpu)) {}

  std::unique_ptr<Pending> all_to_all(const at::Tensor& received, const at::Tensor& sent,
                                      const std::vector<int64_t>& received_counts,
                                      const std::vector<int64_t>& sent_counts) override {
    at::Tensor out = received, in = sent;
    std::vector<int64_t> out_counts = received_counts, in_counts = sent_counts;
    return pending(backend(out).alltoall_base(out, in, out_counts, in_counts), {out, in});
  }
  std::unique_ptr<Pending> all_gather(const at::Tensor& received, const at::Tensor& sent) override {
    at::Tensor out = received, in = sent;
    return pending(backend(out)._allgather_base(out, in), {out, in});
  }
  std::unique_ptr<Pending> broadcast(const at::Tensor& tensor, int64_t from) override {
    std::vector<at::Tensor> tensors{tensor};
    c10d::BroadcastOptions options;
    options.rootRank = from;
    return pending(backend(tensor).broadcast(tensors, options), tensors);
  }

 private:
  c10d::Backend& backend(const at::Tensor& tensor) const { return tensor.is_cpu() ? *on_cpu_ : *on_gpu_; }
  static std::unique_ptr<Pending> pending(c10::intrusive_ptr<c10d::Work> work,
                                          std::vector<at::Tensor> tensors) {
    return std::make_unique<C10dPending>(std::move(work), std::move(tensors));
  }

  c10::intrusive_ptr<c10d::Backend> on_cpu_, on_gpu_;
};

c10d::TCPStoreOptions tcp_options(const StorePlace& place, double timeout) {
  // c10d writes stack traces when a process cannot be reached. Our line about the failure would drown in
  // them.
  FLAGS_caffe2_log_level = 3;  // fatal errors alone
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(place.port);
  options.waitWorkers = false;
  options.timeout = milliseconds_of(timeout);
  return options;
}

}  // namespace

std::unique_ptr<Store> serve_store(StorePlace& place, double timeout) {
  c10d::TCPStoreOptions options = tcp_options(place, timeout);
  options.isServer = true;
  auto store = c10::make_intrusive<c10d::TCPStore>(place.host, options);
  place.port = store->getPort();
  return std::make_unique<C10dStore>(std::move(store));
}

std::unique_ptr<Store> connect_store(const StorePlace& place, double timeout) {
  return std::make_unique<C10dStore>(
      c10::make_intrusive<c10d::TCPStore>(place.host, tcp_options(place, timeout)));
}

std::unique_ptr<Store> file_store(const std::string& path, int64_t processes) {
  return std::make_unique<C10dStore>(c10::make_intrusive<c10d::FileStore>(path, static_cast<int>(processes)));
}

std::unique_ptr<Store> thread_store() {
  // c10d records operations in one table, which groups on several threads damage (libtorch 2.11).
  ::setenv("TORCH_FR_BUFFER_SIZE", "0", /*overwrite=*/1);
  return std::make_unique<C10dStore>(c10::make_intrusive<c10d::HashStore>());
}

std::unique_ptr<Group> make_group(Store& store, const GroupOptions& options) {
  auto& own = dynamic_cast<C10dStore&>(store);
  auto gloo = c10d::ProcessGroupGloo::Options::create(milliseconds_of(options.timeout));
  gloo->devices.push_back(options.interface.empty()
                              ? c10d::ProcessGroupGloo::createDeviceForHostname(options.address)
                              : c10d::ProcessGroupGloo::createDeviceForInterface(options.interface));
  gloo->threads = 2;
  auto prefixed = c10::make_intrusive<c10d::PrefixStore>(options.prefix, own.store());
  auto on_cpu = c10::make_intrusive<c10d::ProcessGroupGloo>(prefixed, static_cast<int>(options.index),
                                                            static_cast<int>(options.size), gloo);
  c10::intrusive_ptr<c10d::Backend> on_gpu;
  if (options.on_gpu)
    on_gpu = c10::intrusive_ptr<c10d::Backend>::reclaim(
        static_cast<c10d::Backend*>(nccl_backend(prefixed.get(), options)));
  return std::make_unique<C10dGroup>(std::move(on_cpu), std::move(on_gpu));
}

}  // namespace galore
