// Reads and writes TensorBoard's event files: TFRecord frames around messages of type Event
// (tensorflow/core/util/event.proto).
//
// A frame holds the length (uint64), the masked CRC-32C of the length, the message and the masked CRC-32C of
// the message, all little-endian. These messages need so little of protobuf's encoding that about forty lines
// replace the library and its compiler of .proto files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace galore {

// Compute the CRC-32C (Castagnoli's polynomial, RFC 3720); `masked` gives the form that TFRecord stores.
uint32_t crc32c(const std::string& bytes);
uint32_t masked_crc32c(const std::string& bytes);

// Returns a message in its frame.
std::string framed_record(const std::string& message);

struct EventScalar {
  std::string tag;
  double value = 0;  // the file holds it as a float
};

// These functions return messages of type Event.
std::string version_event(double wall_time);
// Begins a new session at `step`: TensorBoard forgets the events of this step and later ones that it has
// read.
std::string session_start_event(double wall_time, int64_t step);
std::string scalars_event(double wall_time, int64_t step, const std::vector<EventScalar>& scalars);
// `text` is Markdown. TensorBoard shows it under TEXT.
std::string text_event(double wall_time, int64_t step, const std::string& tag, const std::string& text);

// Returns the frames of a file that belong to steps up to `step`. Reading ends at the first broken frame,
// which a killed program may leave.
std::string records_until(const std::string& file, int64_t step);

}  // namespace galore
