#include "checkpoint/gathered_state.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "core/errors.h"

namespace galore {

bool GatheredState::owned(const std::string& prefix, int owner, bool is_here) {
  if (is_here) {
    own_.push_back(prefix);
    return false;
  }
  if (collective_.size() == 1)
    fail("checkpoint",
         "the optimizer's state is spread over the processes, of which this one is alone: expected "
         "exchange_updates=all, by which each of them has all of it");
  holes_.push_back({tensors_.size(), prefix, owner});
  return true;
}

// Returns one line for each tensor: the prefix of its weight, its name, its dtype and its sizes.
std::string GatheredState::own_list() const {
  std::string text;
  for (const TensorToWrite& tensor : tensors_) {
    const auto found = std::find_if(
        own_.begin(), own_.end(), [&](const std::string& prefix) { return tensor.name.starts_with(prefix); });
    if (found == own_.end()) continue;
    const auto sizes = tensor.value.sizes();
    text += fmt::format("{}\t{}\t{}\t{}\n", *found, tensor.name, static_cast<int>(tensor.dtype),
                        fmt::join(sizes.begin(), sizes.end(), " "));
  }
  return text;
}

std::vector<GatheredState::Remote> GatheredState::all_lists() const {
  std::vector<Remote> all;
  for (int owner = 0; owner < collective_.size(); ++owner) {
    std::istringstream lines(collective_.text_of(owner, owner == collective_.index() ? own_list() : ""));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::string prefix, name;
      int dtype = 0;
      std::getline(std::getline(fields, prefix, '\t'), name, '\t') >> dtype;
      std::vector<int64_t> sizes;
      for (int64_t size = 0; fields >> size;) sizes.push_back(size);
      const auto like = at::dtype(static_cast<at::ScalarType>(dtype)).device(at::kMeta);
      all.push_back({prefix, owner, {name, at::empty(sizes, like)}});
    }
  }
  return all;
}

void GatheredState::meet() {
  if (collective_.size() == 1) return;
  const std::vector<Remote> all = all_lists();
  std::vector<TensorToWrite> joined;
  auto hole = holes_.begin();
  for (size_t i = 0; i <= tensors_.size(); ++i) {
    for (; hole != holes_.end() && hole->place == i; ++hole)
      for (const Remote& remote : all)
        if (remote.owner == hole->owner && remote.prefix == hole->prefix) joined.push_back(remote.tensor);
    if (i < tensors_.size()) joined.push_back(tensors_[i]);
  }
  tensors_ = std::move(joined);
  // The file has tensors with larger elements first.
  std::stable_sort(tensors_.begin(), tensors_.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
    return c10::elementSize(a.dtype) > c10::elementSize(b.dtype);
  });
  for (TensorToWrite& tensor : tensors_) {
    const auto remote = std::find_if(all.begin(), all.end(), [&](const Remote& other) {
      return other.owner != 0 && other.tensor.name == tensor.name;
    });
    if (remote == all.end()) continue;
    remote_.push_back({remote->prefix, remote->owner, tensor});
    tensor.fetch = [this] { return bring_next(); };
  }
}

at::Tensor GatheredState::bring_next() {
  const Remote& remote = remote_[next_++];
  at::Tensor value;
  if (collective_.index() == 0) value = at::empty(remote.tensor.value.sizes(), remote.tensor.dtype);
  if (collective_.index() == remote.owner) value = remote.tensor.value.cpu().contiguous();
  collective_.bring_to_first(remote.owner, value.defined() ? value.view({-1}).view(at::kByte) : value);
  return value;
}

void GatheredState::serve() {
  while (next_ < remote_.size()) bring_next();
}

}  // namespace galore
