// Compares every fused kernel with the memory bandwidth, which limits most of them.
//
// usage: bench_kernels [--json] [--only TEXT] [--repetitions N] [--rounds N]
//
// A repetition is one pass of a stream (bandwidth.h), one run of the kernel, the stream again and one run of
// the composed version. Shares and ratios are formed within a repetition and their medians are printed,
// because other programs may share the machine. The stream also empties the caches, so every run begins with
// its operands in memory. A repetition in which a thread waited for a processor is repeated, up to three
// times as many in all, and left out unless fewer than three remain. OMP_PROC_BIND=true keeps Linux from
// putting two threads on one processor.
#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/kernels/bandwidth.h"
#include "bench/kernels/clock.h"
#include "bench/kernels/kernel_case.h"
#include "core/errors.h"

namespace galore::bench {
namespace {

struct Settings {
  bool json = false;
  std::string only;
  int64_t repetitions = 11, rounds = 1;
};

struct Sample {
  double seconds, bandwidth, composed;  // composed 0: it was not run
  bool quiet;
};

struct Result {
  const KernelCase* measured;
  double bytes = 0, operations = 0;
  std::vector<Sample> samples;
};

// Returns the time that this process's threads were ready but did not run, as Linux counts it. Returns 0 when
// Linux does not count it, and with one thread, because its waiting is not measured.
double waited_seconds() {
  double sum = 0;
  if (at::get_num_threads() == 1) return sum;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::ifstream file(task.path() / "schedstat");
    double ran = 0, waited = 0;
    if (file >> ran >> waited) sum += waited * 1e-9;
  }
  return sum;
}

double seconds(const std::function<void()>& work) {
  const double begin = now();
  work();
  return now() - begin;
}

Sample sample(const Work& work, Bandwidth& memory, bool with_composed) {
  Sample taken{};
  if (work.restore) work.restore();
  const double waited = waited_seconds(), begin = now();
  taken.bandwidth = memory.bytes_per_second(work.stream);
  taken.seconds = seconds(work.kernel);
  if (with_composed) {
    if (work.restore) work.restore();
    memory.bytes_per_second(work.stream);
    taken.composed = seconds(work.composed);
  }
  taken.quiet = waited_seconds() - waited < 0.01 * (now() - begin);
  return taken;
}

// A composed version that takes longer than half a second is run only three times.
void measure(Result& result, Bandwidth& memory, const Settings& settings) {
  constexpr double kLong = 0.5;
  const Work work = result.measured->prepare();
  result.bytes = work.bytes, result.operations = work.operations;
  work.kernel();
  const double composed = work.composed ? seconds(work.composed) : 0;
  int64_t quiet = 0;
  for (int64_t i = 0; quiet < settings.repetitions && i < 3 * settings.repetitions; ++i) {
    result.samples.push_back(sample(work, memory, work.composed && (composed < kLong || i < 3)));
    quiet += result.samples.back().quiet;
  }
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Summary {
  double seconds, best_seconds, bandwidth, share, ratio;
  size_t quiet;
};

Summary summary_of(const Result& result) {
  std::vector<Sample> kept;
  std::copy_if(result.samples.begin(), result.samples.end(), std::back_inserter(kept),
               [](const Sample& s) { return s.quiet; });
  const size_t quiet = kept.size();
  if (quiet < 3) kept = result.samples;
  std::vector<double> times, bandwidths, shares, ratios;
  for (const Sample& s : kept) {
    times.push_back(s.seconds), bandwidths.push_back(s.bandwidth);
    shares.push_back(result.bytes / s.seconds / s.bandwidth);
    if (s.composed > 0) ratios.push_back(s.composed / s.seconds);
  }
  return {median(times),      *std::min_element(times.begin(), times.end()),
          median(bandwidths), median(shares),
          median(ratios),     quiet};
}

void print_row(const Result& result) {
  const Summary s = summary_of(result);
  const std::string ratio = s.ratio > 0 ? fmt::format("{:.1f}", s.ratio) : "";
  std::string note = result.measured->arithmetic;
  if (result.operations > 0) note += fmt::format(", {:.0f} GFLOP/s", result.operations / s.seconds * 1e-9);
  fmt::print("{:<32} {:<22} {:>8.1f} {:>9.3f} {:>7.1f} {:>6.0f} % {:>9}  {:>3}/{}  {}\n",
             result.measured->kernel, result.measured->size, result.bytes * 1e-6, s.seconds * 1e3,
             result.bytes / s.seconds * 1e-9, 100 * s.share, ratio, s.quiet, result.samples.size(), note);
}

void print_json(const Result& result) {
  const Summary s = summary_of(result);
  nlohmann::ordered_json line{{"kernel", result.measured->kernel},
                              {"size", result.measured->size},
                              {"bytes", result.bytes},
                              {"seconds", s.seconds},
                              {"best_seconds", s.best_seconds},
                              {"gb_per_s", result.bytes / s.seconds * 1e-9},
                              {"stream_gb_per_s", s.bandwidth * 1e-9},
                              {"share", s.share},
                              {"composed_over_kernel", nullptr},
                              {"waits_for", result.measured->arithmetic.empty() ? "memory" : "arithmetic"},
                              {"threads", at::get_num_threads()},
                              {"repetitions", result.samples.size()},
                              {"quiet", s.quiet}};
  if (s.ratio > 0) line["composed_over_kernel"] = s.ratio;
  if (result.operations > 0) line["gflop_per_s"] = result.operations / s.seconds * 1e-9;
  fmt::print("{}\n", line.dump());
}

void print_bandwidth(Bandwidth& memory, const Settings& settings) {
  const std::pair<const char*, Stream> streams[] = {{"triad", Stream::triad},
                                                    {"in place", Stream::in_place},
                                                    {"read", Stream::read},
                                                    {"plain triad", Stream::plain_triad},
                                                    {"plain copy", Stream::plain_copy}};
  for (const auto& [name, stream] : streams) {
    memory.bytes_per_second(stream);
    std::vector<double> values;
    for (int64_t i = 0; i < settings.repetitions; ++i)
      values.push_back(memory.bytes_per_second(stream) * 1e-9);
    const double best = *std::max_element(values.begin(), values.end());
    if (settings.json) {
      const nlohmann::ordered_json line{
          {"stream", name}, {"gb_per_s", median(values)}, {"best_gb_per_s", best}};
      fmt::print("{}\n", line.dump());
    } else {
      fmt::print("{:<22} {:6.1f} GB/s, best {:.1f}\n", name, median(values), best);
    }
  }
}

Settings parse(const std::vector<std::string>& arguments) {
  Settings settings;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--json") {
      settings.json = true;
      continue;
    }
    const bool number = name == "--repetitions" || name == "--rounds";
    if (i + 1 == arguments.size() || !(number || name == "--only"))
      throw UsageError(
          "[bench_kernels] expected --json, --only TEXT, --repetitions N or --rounds N, given '" + name +
          "'");
    const std::string& value = arguments[++i];
    if (name == "--only") settings.only = value;
    if (name == "--repetitions") settings.repetitions = std::max(1, std::stoi(value));
    if (name == "--rounds") settings.rounds = std::max(1, std::stoi(value));
  }
  return settings;
}

void run(const Settings& settings) {
  Bandwidth memory;
  print_bandwidth(memory, settings);
  std::vector<KernelCase> cases = optimizer_cases();
  for (auto more : {layer_cases, attention_cases})
    for (KernelCase& one : more()) cases.push_back(std::move(one));
  std::vector<Result> results;
  for (const KernelCase& one : cases)
    if ((one.kernel + " " + one.size).find(settings.only) != std::string::npos)
      results.push_back({.measured = &one, .samples = {}});
  // The loop over rounds is the outer one, so that a disturbance of some seconds does not affect all
  // repetitions of one kernel.
  for (int64_t round = 0; round < settings.rounds; ++round)
    for (Result& result : results) measure(result, memory, settings);
  if (!settings.json)
    fmt::print("\n{:<32} {:<22} {:>8} {:>9} {:>7} {:>8} {:>9}  quiet  not memory because\n", "kernel", "size",
               "MB", "ms", "GB/s", "share", "composed");
  for (const Result& result : results) settings.json ? print_json(result) : print_row(result);
}

}  // namespace
}  // namespace galore::bench

int main(int count, char** arguments) {
  try {
    galore::bench::run(galore::bench::parse({arguments + 1, arguments + count}));
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_kernels: {}\n", error.what());
    return 2;
  }
}
