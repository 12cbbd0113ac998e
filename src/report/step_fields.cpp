#include "report/step_fields.h"

#include <cmath>

namespace galore {
namespace {

using Field = std::optional<nlohmann::ordered_json>;

Field finite_field(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

Field norm_field(const StepMetrics& m, bool projected) {
  return m.norm_is_projected == projected ? finite_field(m.gradient_norm) : std::nullopt;
}

Field rank_field(const StepMetrics& m) {
  return m.mean_rank > 0 ? Field(nlohmann::ordered_json(m.mean_rank)) : std::nullopt;
}

template <auto member>
Field member_field(const StepMetrics& m) {
  return nlohmann::ordered_json(m.*member);
}

// Left out of the log of a process that trains alone.
template <auto member>
Field shared_field(const StepMetrics& m) {
  return m.world_size > 1 ? member_field<member>(m) : std::nullopt;
}

using M = StepMetrics;

constexpr StepField kStepFields[] = {
    {"step", nullptr, true, member_field<&M::step>},
    {"total_steps", nullptr, false, member_field<&M::total_steps>},
    {"epoch", "train/epoch", true, member_field<&M::epoch>},
    {"loss", "train/loss", true, [](const M& m) { return finite_field(m.loss); }},
    {"grad_norm", "train/grad_norm", true, [](const M& m) { return norm_field(m, false); }},
    {"grad_norm_projected", "train/grad_norm_projected", true,
     [](const M& m) { return norm_field(m, true); }},
    {"learning_rate", "train/learning_rate", true, member_field<&M::learning_rate>},
    {"tokens_per_second", "speed/tokens_per_second", true, member_field<&M::tokens_per_second>},
    {"peak_share", "speed/peak_share", true, member_field<&M::product_rate_share>},
    {"memory_bytes", "memory/bytes", true, member_field<&M::memory_bytes>},
    {"peak_memory_bytes", "memory/peak_bytes", true, member_field<&M::peak_memory_bytes>},
    {"tokens_seen", "train/tokens_seen", true, member_field<&M::tokens_seen>},
    {"seconds_left", nullptr, false, member_field<&M::seconds_left>},
    {"optimizer_seconds", "speed/optimizer_seconds", true, member_field<&M::optimizer_seconds>},
    {"refresh_seconds", "speed/refresh_seconds", true, member_field<&M::refresh_seconds>},
    {"data_seconds", "speed/data_seconds", true, member_field<&M::data_seconds>},
    {"clip_factor", "train/clip_factor", false, member_field<&M::clip_factor>},
    {"skipped_updates", "train/skipped_updates", true, member_field<&M::skipped_updates>},
    {"mean_rank", "train/mean_rank", true, rank_field},
    {"world_size", nullptr, false, shared_field<&M::world_size>},
    {"exchange_bytes", "exchange/bytes", false, shared_field<&M::exchange_bytes>},
    {"exchange_bytes_ddp", nullptr, false, shared_field<&M::exchange_bytes_ddp>},
    {"exchange_seconds", "exchange/seconds", false, shared_field<&M::exchange_seconds>}};

}  // namespace

std::span<const StepField> step_fields() { return kStepFields; }

nlohmann::ordered_json event_fields(const StepMetrics& metrics) {
  nlohmann::ordered_json fields;
  for (const StepField& field : kStepFields)
    if (const auto value = field.value(metrics)) fields[field.name] = *value;
  return fields;
}

}  // namespace galore
