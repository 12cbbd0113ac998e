// Visits the state of a part. Every part lists its named tensors and scalars once; saving, loading, counting
// bytes and computing checksums are visitors. Names are relative to the part: the caller puts the parameter's
// name in front of them, never an index.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>

namespace galore {

// An average of gradients that a part stores in some format.
class StoredAverage {
 public:
  virtual ~StoredAverage() = default;
  // Returns the average in fp32: the stored tensor itself, or a decoded copy.
  virtual at::Tensor read() = 0;
  virtual void write(const at::Tensor& value) = 0;
  virtual void clear() = 0;  // sets it to zero
};

class StateVisitor {
 public:
  virtual ~StateVisitor() = default;
  // Visits a tensor. A loading visitor checks shape and dtype and copies into `tensor` in place.
  virtual void tensor(const std::string& name, at::Tensor& tensor) = 0;
  virtual void scalar(const std::string& name, int64_t& value) = 0;
  virtual void scalar(const std::string& name, double& value) = 0;
  // Tells that the state under names that begin with `prefix` belongs to one process of several, and whether
  // that is this one. Elsewhere a process has a part of it at most, which is not visited if this function
  // returns true.
  virtual bool owned(const std::string& /*prefix*/, int /*owner*/, bool /*is_here*/) { return false; }
  // Offers an average as a whole. A visitor that takes it returns true; otherwise the tensors of its format
  // are visited.
  virtual bool average(const std::string& /*name*/, StoredAverage& /*average*/) { return false; }
};

// Puts a prefix in front of the names of a part's state.
class PrefixVisitor : public StateVisitor {
 public:
  PrefixVisitor(StateVisitor& inner, std::string prefix) : inner_(inner), prefix_(std::move(prefix)) {}
  void tensor(const std::string& name, at::Tensor& tensor) override { inner_.tensor(prefix_ + name, tensor); }
  void scalar(const std::string& name, int64_t& value) override { inner_.scalar(prefix_ + name, value); }
  void scalar(const std::string& name, double& value) override { inner_.scalar(prefix_ + name, value); }
  bool average(const std::string& name, StoredAverage& average) override {
    return inner_.average(prefix_ + name, average);
  }

 private:
  StateVisitor& inner_;
  std::string prefix_;
};

}  // namespace galore
