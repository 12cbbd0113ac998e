// Counts the bytes of every tensor by its owner.
//
// Every tensor that outlives one operation is allocated through a Ledger under an owner. The memory plan has
// no formulas of its own: the same constructors and the same training step run once on a ledger of the `meta`
// device, which allocates nothing and counts everything.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace galore {

enum class Owner { weights, master_weights, gradients, moments, bases, activations, workspace };
inline constexpr int kNumOwners = 7;
const char* owner_name(Owner owner);

class Ledger {
 public:
  explicit Ledger(at::Device device) : device_(device) {}
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  at::Device device() const { return device_; }
  // True in the counting run of the memory plan, in which tensors have shapes but no data.
  bool counting() const { return device_.is_meta(); }
  // Allocates an uninitialized, contiguous tensor on this ledger's device.
  at::Tensor empty(Owner owner, at::IntArrayRef shape, at::ScalarType dtype);
  at::Tensor zeros(Owner owner, at::IntArrayRef shape, at::ScalarType dtype);
  // Counts a tensor that was allocated elsewhere (a loaded checkpoint), or subtracts one that is freed.
  void add(Owner owner, int64_t bytes) { bytes_[static_cast<size_t>(owner)] += bytes; }
  // Counts temporaries that a library allocates and frees within one call. The largest counts as workspace.
  void note_transient(int64_t bytes) {
    if (bytes <= transient_) return;
    add(Owner::workspace, bytes - transient_);
    transient_ = bytes;
  }
  int64_t bytes(Owner owner) const { return bytes_[static_cast<size_t>(owner)]; }
  int64_t total() const;

 private:
  at::Device device_;
  std::array<int64_t, kNumOwners> bytes_{};
  int64_t transient_ = 0;
};

// A lease of a Workspace buffer. When the lease has ended, the name can be leased again. Two leases of one
// name at the same time would be silent corruption, so they fail an assertion.
class Scratch {
 public:
  Scratch(at::Tensor tensor, bool& lent) : tensor_(std::move(tensor)), lent_(&lent) { lent = true; }
  ~Scratch() {
    if (lent_) *lent_ = false;
  }
  Scratch(Scratch&& other) noexcept
      : tensor_(std::move(other.tensor_)), lent_(std::exchange(other.lent_, nullptr)) {}
  Scratch& operator=(Scratch&&) = delete;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // The tensor must not outlive the lease.
  operator const at::Tensor&() const& { return tensor_; }
  operator const at::Tensor&() && = delete;
  const at::Tensor& operator*() const& { return tensor_; }
  const at::Tensor* operator->() const& { return &tensor_; }

 private:
  at::Tensor tensor_;
  bool* lent_;  // null after a move
};

// Named buffers that are reused from step to step. They are never given back to the system, so a steady step
// allocates nothing.
class Workspace {
 public:
  explicit Workspace(Ledger& ledger) : ledger_(ledger) {}
  // Returns a contiguous tensor of this shape. It contains the data that the last user of the name left. A
  // larger request under a known name replaces the buffer.
  at::Tensor get(Owner owner, const std::string& name, at::IntArrayRef shape, at::ScalarType dtype);
  // Leases the buffer of this name until the result is destroyed. The workspace must outlive the result.
  Scratch lease(Owner owner, const std::string& name, at::IntArrayRef shape, at::ScalarType dtype);
  Ledger& ledger() { return ledger_; }

 private:
  struct Buffer {
    at::Tensor bytes;
    bool lent = false;
  };
  at::Tensor view(Buffer& buffer, Owner owner, at::IntArrayRef shape, at::ScalarType dtype);

  Ledger& ledger_;
  std::map<std::string, Buffer> buffers_;
};

// Returns "1.50 MiB" or, if `binary` is false, decimal units ("1.57 MB").
std::string format_bytes(double bytes, bool binary = true);
// Parses "22GiB", "500 MB", "1.5G" or "4096". K, M, G and T alone are binary, as in ulimit and container
// programs. `where` and `name` appear in the message.
int64_t parse_bytes(const std::string& where, const std::string& name, const std::string& text);

// Return this process's resident memory and its peak in bytes, as the kernel counts them (VmRSS and VmHWM).
int64_t resident_bytes();
int64_t peak_resident_bytes();
// Returns memory that this process has freed to the system, if its allocator can. Otherwise freed memory
// counts as resident until the allocator happens to return it: 112 MiB were seen after a run of 110.
void return_freed_memory();

}  // namespace galore
