// The functions that do an operation on each kind of device. An operation's source makes one Operation object
// of them; the public function checks its arguments and calls the object. `galore info --kernels` prints all.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "kernels/device.h"

namespace galore::kernels {

// Which versions of one operation exist.
struct OperationRow {
  std::string name;
  bool cpu, cuda, composed;
};
// All operations of this program, by name.
std::vector<OperationRow> operations();

void add_operation(const OperationRow& row);  // called by Operation

template <typename Signature>
class Operation;

template <typename Result, typename... Arguments>
class Operation<Result(Arguments...)> {
 public:
  using Function = Result (*)(Arguments...);
  // `cpu` and `cuda` are kernels of ours; null means that there is none. `composed` uses operations of the
  // tensor library and runs on every device.
  struct Versions {
    Function cpu = nullptr, cuda = nullptr, composed = nullptr;
  };

  Operation(const char* name, const Versions& versions) : versions_(versions) {
    add_operation({name, versions.cpu != nullptr, versions.cuda != nullptr, versions.composed != nullptr});
  }

  // Calls the version for the device of `place`, which is one of the operands. On the meta device nothing
  // happens and the result is 0 or empty.
  Result operator()(const at::Tensor& place, Arguments... arguments) const {
    if (place.is_meta()) return Result();
    return version_for(place)(std::forward<Arguments>(arguments)...);
  }

 private:
  Function version_for(const at::Tensor& place) const {
    if (place.is_cpu() && versions_.cpu) return versions_.cpu;
    if (place.is_cuda() && versions_.cuda && galore::cuda::is_built()) return versions_.cuda;
    return versions_.composed;
  }

  Versions versions_;
};

// A kernel that returns false for dtypes it does not serve, followed by the composed version for these.
template <auto kernel, auto composed>
struct OrComposed;
template <auto kernel, typename... Arguments, void (*composed)(Arguments...)>
struct OrComposed<kernel, composed> {
  static void call(Arguments... arguments) {
    if (!kernel(arguments...)) composed(arguments...);
  }
};
template <auto kernel, auto composed>
// NOLINTNEXTLINE(readability-identifier-naming): it is used as a function
inline constexpr auto or_composed = &OrComposed<kernel, composed>::call;

}  // namespace galore::kernels
