#include "kernels/cpu_features.h"

#include <ATen/ATen.h>
#include <ATen/Version.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "core/errors.h"
#include "hwy/targets.h"

namespace galore {
namespace {

enum class Level { baseline, avx2, avx512, avx512_bf16 };
constexpr const char* kLevelNames[] = {"baseline", "avx2", "avx512", "avx512_bf16"};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Level parse_max_level() {
  const std::string given = environment("GALORE_MAX_CPU");
  if (given.empty()) return Level::avx512_bf16;
  for (const Level level : {Level::avx2, Level::avx512})
    if (given == kLevelNames[static_cast<int>(level)]) return level;
  fail_usage("GALORE_MAX_CPU", "expected avx2 or avx512, given '{}'", given);
}

#if defined(__x86_64__)
Level level_of_processor() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Level::baseline;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) return Level::avx2;
  return __builtin_cpu_supports("avx512bf16") ? Level::avx512_bf16 : Level::avx512;
}

std::string maker() {
  __builtin_cpu_init();
  return __builtin_cpu_is("intel") ? "intel" : __builtin_cpu_is("amd") ? "amd" : "other";
}

bool has_amx_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 22 & 1) != 0;
}

// Returns the Highway targets above a level. Better targets have lower bits.
int64_t targets_above(Level level) {
  return level == Level::avx2 ? HWY_AVX2 - 1 : level == Level::avx512 ? HWY_AVX3_DL - 1 : 0;
}
#else
Level level_of_processor() { return Level::baseline; }
std::string maker() { return "other"; }
bool has_amx_bf16() { return false; }
int64_t targets_above(Level) { return 0; }
#endif

Level level() {
  static const Level known = std::min(level_of_processor(), parse_max_level());
  return known;
}

// This runs before main(), because Highway chooses a kernel's target at its first call. The functions above
// report a wrong value as an error, which callers can catch there.
[[maybe_unused]] const bool kIsHeld = [] {
  try {
    hwy::DisableTargets(targets_above(parse_max_level()));
  } catch (const Error&) {
    return false;
  }
  return true;
}();

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Highway's question for its targets chooses the best target of the processor for all later calls, also one
// that DisableTargets() has excluded. The second line chooses among the allowed ones again.
std::string highway_target() {
  const auto targets = hwy::SupportedAndGeneratedTargets();
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return targets.empty() ? "none" : hwy::TargetName(*std::min_element(targets.begin(), targets.end()));
}

}  // namespace

bool has_fast_bf16() { return level() == Level::avx512_bf16; }

bool prefers_onednn_fp32() { return level() >= Level::avx512 && maker() != "intel"; }

std::string kernel_level() {
  std::string text = fmt::format("{}/highway-{}/aten-{}/{}", kLevelNames[static_cast<int>(level())],
                                 highway_target(), at::get_cpu_capability(), maker());
  if (has_amx_bf16() && level() == Level::avx512_bf16) text += "/amx";
  for (const char* name : {"MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA"})
    if (const std::string value = environment(name); !value.empty())
      text += fmt::format("/{}-{}", std::string(name).substr(0, std::string(name).find('_')), value);
  return lower_case(text);
}

}  // namespace galore
