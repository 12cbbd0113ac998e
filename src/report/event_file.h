// TensorBoard's event files: TFRecord frames around messages of Event (tensorflow/core/util/event.proto).
//
// A frame: length (uint64), masked CRC-32C of it, message, masked CRC-32C of the message; all little-endian.
// Of protobuf's encoding only what these messages need is written: about forty lines, against a library and
// a compiler of .proto files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace galore {

// Castagnoli's polynomial, as in RFC 3720; `masked` as TFRecord stores it.
uint32_t crc32c(const std::string& bytes);
uint32_t masked_crc32c(const std::string& bytes);

// A message in its frame.
std::string framed_record(const std::string& message);

struct EventScalar {
  std::string tag;
  double value = 0;  // a float in the file
};

// Messages of Event.
std::string version_event(double wall_time);
// A new session begins at `step`: TensorBoard forgets what it has read of this and later steps.
std::string session_start_event(double wall_time, int64_t step);
std::string scalars_event(double wall_time, int64_t step, const std::vector<EventScalar>& scalars);
// `text` is Markdown, shown under TEXT.
std::string text_event(double wall_time, int64_t step, const std::string& tag, const std::string& text);

// The frames of a file whose events are of steps up to `step`; reading ends at the first broken frame, as a
// kill leaves it.
std::string records_until(const std::string& file, int64_t step);

}  // namespace galore
