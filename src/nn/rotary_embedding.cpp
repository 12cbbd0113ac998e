#include "nn/rotary_embedding.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/errors.h"

namespace galore {
namespace {

// Computes in plain fp32 steps, in transformers' order, because the angles at position 1000 amplify any
// difference.
at::Tensor wavelengths(double base, int64_t head_dim) {
  return at::pow(base, at::arange(0, head_dim, 2, at::kLong).to(at::kFloat) / head_dim);
}

at::Tensor plain_frequencies(double base, int64_t head_dim) {
  return at::reciprocal(wavelengths(base, head_dim));
}

double original_context(const RotaryOptions& options) {
  const int64_t original = options.scaling.original_max_position_embeddings;
  return static_cast<double>(original > 0 ? original : options.max_position_embeddings);
}

at::Tensor dynamic_frequencies(const RotaryOptions& options, int64_t length) {
  const double longest = static_cast<double>(options.max_position_embeddings),
               factor = options.scaling.factor;
  const double dim = static_cast<double>(options.head_dim);
  const double stretch = factor * std::max(static_cast<double>(length), longest) / longest - (factor - 1);
  return plain_frequencies(options.theta * std::pow(stretch, dim / (dim - 2)), options.head_dim);
}

at::Tensor llama3_frequencies(const RotaryOptions& options) {
  const RopeScaling& scaling = options.scaling;
  const at::Tensor plain = plain_frequencies(options.theta, options.head_dim);
  const double context = original_context(options);
  const double long_wave = context / scaling.low_freq_factor, short_wave = context / scaling.high_freq_factor;
  const at::Tensor wave = 2 * std::numbers::pi * plain.reciprocal();
  const at::Tensor scaled = at::where(wave.gt(long_wave), plain / scaling.factor, plain);
  const at::Tensor smooth = (context * wave.reciprocal() - scaling.low_freq_factor) /
                            (scaling.high_freq_factor - scaling.low_freq_factor);
  const at::Tensor between = (1 - smooth) * scaled / scaling.factor + smooth * scaled;
  return at::where(wave.lt(short_wave).logical_or(wave.gt(long_wave)), scaled, between);
}

// Returns the dimension with an angle that makes `turns` rotations over the original context.
double yarn_dimension(const RotaryOptions& options, double turns) {
  return static_cast<double>(options.head_dim) *
         std::log(original_context(options) / (turns * 2 * std::numbers::pi)) / (2 * std::log(options.theta));
}

at::Tensor yarn_frequencies(const RotaryOptions& options) {
  const RopeScaling& scaling = options.scaling;
  double low = yarn_dimension(options, scaling.beta_fast), high = yarn_dimension(options, scaling.beta_slow);
  if (scaling.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, static_cast<double>(options.head_dim - 1));
  if (low == high) high += 0.001;
  const at::Tensor waves = wavelengths(options.theta, options.head_dim);
  const at::Tensor ramp =
      ((at::arange(options.head_dim / 2, at::kLong).to(at::kFloat) - low) / (high - low)).clamp(0, 1);
  const at::Tensor kept = 1 - ramp;
  return at::reciprocal(scaling.factor * waves) * (1 - kept) + at::reciprocal(waves) * kept;
}

bool is_long(const RotaryOptions& options, int64_t length) {
  return static_cast<double>(length) > original_context(options);
}

at::Tensor longrope_frequencies(const RotaryOptions& options, int64_t length) {
  const RopeScaling& scaling = options.scaling;
  const at::Tensor factors =
      at::tensor(is_long(options, length) ? scaling.long_factor : scaling.short_factor, at::kFloat);
  return at::reciprocal(factors * wavelengths(options.theta, options.head_dim));
}

double longrope_attention_factor(const RotaryOptions& options) {
  const double context = original_context(options);
  const double factor = options.scaling.factor > 0
                            ? options.scaling.factor
                            : static_cast<double>(options.max_position_embeddings) / context;
  return factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(context));
}

void check_longrope(const RotaryOptions& options) {
  for (const auto* factors : {&options.scaling.short_factor, &options.scaling.long_factor})
    if (static_cast<int64_t>(factors->size()) != options.head_dim / 2)
      fail("rope_scaling", "short_factor and long_factor have {} numbers each, given {}",
           options.head_dim / 2, factors->size());
}

void check_scaling(const RotaryOptions& options) {
  const RopeScaling& scaling = options.scaling;
  static constexpr const char* known[] = {"default", "linear", "dynamic", "llama3", "yarn", "longrope"};
  if (std::find(std::begin(known), std::end(known), scaling.type) == std::end(known)) {
    fail("rope_scaling", "rope_type is one of default, linear, dynamic, llama3, yarn, longrope; given '{}'",
         scaling.type);
  }
  if (scaling.type == "longrope") return check_longrope(options);
  if (scaling.type != "default" && !(scaling.factor >= 1)) {
    fail("rope_scaling", "factor is at least 1, given {}", scaling.factor);
  }
  if (scaling.type == "llama3" && !(scaling.high_freq_factor > scaling.low_freq_factor)) {
    fail("rope_scaling", "high_freq_factor is above low_freq_factor, given {} and {}",
         scaling.high_freq_factor, scaling.low_freq_factor);
  }
}

}  // namespace

RotaryEmbedding::RotaryEmbedding(const RotaryOptions& options, std::string name)
    : options_(options), name_(std::move(name)) {
  check_scaling(options);
}

at::Tensor RotaryEmbedding::inverse_frequencies(int64_t length) const {
  if (options_.scaling.type == "dynamic") return dynamic_frequencies(options_, length);
  if (options_.scaling.type == "llama3") return llama3_frequencies(options_);
  if (options_.scaling.type == "yarn") return yarn_frequencies(options_);
  if (options_.scaling.type == "longrope") return longrope_frequencies(options_, length);
  const at::Tensor plain = plain_frequencies(options_.theta, options_.head_dim);
  return options_.scaling.type == "linear" ? plain / options_.scaling.factor : plain;
}

double RotaryEmbedding::attention_factor() const {
  const RopeScaling& scaling = options_.scaling;
  if (scaling.type != "yarn" && scaling.type != "longrope") return 1;
  if (scaling.attention_factor > 0) return scaling.attention_factor;
  if (scaling.type == "longrope") return longrope_attention_factor(options_);
  const auto factor = [&](double weight) { return 0.1 * weight * std::log(scaling.factor) + 1; };
  if (scaling.mscale != 0 && scaling.mscale_all_dim != 0)
    return factor(scaling.mscale) / factor(scaling.mscale_all_dim);
  return factor(1);
}

int64_t RotaryEmbedding::scaling_length(int64_t length) const {
  if (options_.scaling.type == "longrope") return is_long(options_, length);
  return options_.scaling.type == "dynamic" ? std::max(length, options_.max_position_embeddings) : 0;
}

bool RotaryEmbedding::changes_between(int64_t length, int64_t longer) const {
  return options_.scaling.type == "longrope" && scaling_length(length) != scaling_length(longer);
}

RotaryTables RotaryEmbedding::tables(int64_t first, int64_t count, Workspace& workspace) {
  const int64_t length = first + count;
  const bool fits = kept_.cosine.defined() && kept_.cosine.size(0) >= length &&
                    kept_scaling_length_ == scaling_length(length);
  if (!fits) {
    const std::array<int64_t, 2> shape{length, options_.head_dim / 2};
    kept_ = {workspace.get(Owner::workspace, name_ + ".cosine", shape, at::kFloat),
             workspace.get(Owner::workspace, name_ + ".sine", shape, at::kFloat)};
    kept_scaling_length_ = scaling_length(length);
    if (!kept_.cosine.is_meta()) {
      const at::Tensor positions = at::arange(length, at::kFloat).unsqueeze(1);
      const at::Tensor angles = positions * inverse_frequencies(length).unsqueeze(0);
      kept_.cosine.copy_(angles.cos() * attention_factor());
      kept_.sine.copy_(angles.sin() * attention_factor());
    }
  }
  return {kept_.cosine.narrow(0, first, count), kept_.sine.narrow(0, first, count), options_.pairs};
}

}  // namespace galore
