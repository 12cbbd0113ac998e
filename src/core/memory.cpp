#include "core/memory.h"

#include <ATen/ATen.h>
#include <fmt/core.h>
#include <malloc.h>

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <string_view>

#include "core/errors.h"

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_purge_allocator();
#endif

namespace galore {
namespace {

int64_t status_field(const char* field) {
  std::ifstream status("/proc/self/status");
  std::string name;
  while (status >> name) {
    if (name == field) {
      int64_t kibibytes = 0;
      status >> kibibytes;
      return kibibytes * 1024;
    }
    status.ignore(4096, '\n');
  }
  return 0;
}

}  // namespace

const char* owner_name(Owner owner) {
  static constexpr std::array<const char*, kNumOwners> names{
      "weights", "master weights", "gradients", "moments", "bases", "activations", "workspace"};
  return names[static_cast<size_t>(owner)];
}

at::Tensor Ledger::empty(Owner owner, at::IntArrayRef shape, at::ScalarType dtype) {
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(dtype).device(device_));
  add(owner, static_cast<int64_t>(tensor.nbytes()));
  return tensor;
}

at::Tensor Ledger::zeros(Owner owner, at::IntArrayRef shape, at::ScalarType dtype) {
  return empty(owner, shape, dtype).zero_();
}

int64_t Ledger::total() const { return std::accumulate(bytes_.begin(), bytes_.end(), int64_t{0}); }

at::Tensor Workspace::view(Buffer& buffer, Owner owner, at::IntArrayRef shape, at::ScalarType dtype) {
  GALORE_ASSERT(!buffer.lent);
  const int64_t count = c10::multiply_integers(shape);
  const int64_t bytes = count * static_cast<int64_t>(c10::elementSize(dtype));
  at::Tensor& all = buffer.bytes;
  if (!all.defined() || all.numel() < bytes) {
    if (all.defined()) ledger_.add(owner, -all.numel());
    all.reset();
    all = ledger_.empty(owner, {bytes}, at::kByte);
  }
  return all.narrow(0, 0, bytes).view(dtype).view(shape);
}

at::Tensor Workspace::get(Owner owner, const std::string& name, at::IntArrayRef shape, at::ScalarType dtype) {
  return view(buffers_[name], owner, shape, dtype);
}

Scratch Workspace::lease(Owner owner, const std::string& name, at::IntArrayRef shape, at::ScalarType dtype) {
  Buffer& buffer = buffers_[name];
  return {view(buffer, owner, shape, dtype), buffer.lent};
}

std::string format_bytes(double bytes, bool binary) {
  const double base = binary ? 1024 : 1000;
  static constexpr const char* binary_units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  static constexpr const char* decimal_units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= base && unit < 4) bytes /= base, ++unit;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 2,
                     binary ? binary_units[unit] : decimal_units[unit]);
}

int64_t parse_bytes(const std::string& where, const std::string& name, const std::string& text) {
  static constexpr std::string_view units = "kmgt";
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  std::string suffix = end;
  std::erase(suffix, ' ');
  for (char& c : suffix) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  // 0: no prefix such as k or M
  const size_t power = suffix.empty() || suffix == "b" ? 0 : units.find(suffix[0]) + 1;
  const std::string rest = power > 0 ? suffix.substr(1) : "";
  const bool known = end != text.c_str() && (suffix.empty() || suffix == "b" || power > 0) &&
                     (rest.empty() || rest == "b" || rest == "ib");
  const double bytes = number * std::pow(rest == "b" ? 1000.0 : 1024.0, static_cast<double>(power));
  if (!known || !(bytes >= 0 && bytes <= 9e18))
    fail_usage(where, "{}: expected bytes, such as 22GiB, 500MB or 0, given '{}'", name, text);
  return static_cast<int64_t>(bytes);
}

int64_t resident_bytes() { return status_field("VmRSS:"); }
int64_t peak_resident_bytes() { return status_field("VmHWM:"); }

void return_freed_memory() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_purge_allocator();
#elif defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace galore
