#include "report/event_file.h"

#include <array>
#include <bit>
#include <optional>

namespace galore {
namespace {

constexpr uint32_t kMaskDelta = 0xa282ead8;
constexpr size_t kHeaderBytes = 12, kFooterBytes = 4;

// The wire types of protobuf.
enum Wire : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0u);
    table[byte] = value;
  }
  return table;
}

template <typename T>
std::string little_endian(T value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

template <typename T>
T from_little_endian(const std::string& bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof value; ++i)
    value |= static_cast<T>(static_cast<unsigned char>(bytes[at + i])) << 8 * i;
  return value;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes + static_cast<char>(value);
}

std::string key(uint32_t field, Wire wire) { return varint(field << 3 | wire); }
std::string number(uint32_t field, int64_t value) {
  return key(field, kVarint) + varint(static_cast<uint64_t>(value));
}
std::string bytes(uint32_t field, const std::string& value) {
  return key(field, kBytes) + varint(value.size()) + value;
}
std::string fixed(uint32_t field, double value) {
  return key(field, kFixed64) + little_endian(std::bit_cast<uint64_t>(value));
}
std::string fixed(uint32_t field, float value) {
  return key(field, kFixed32) + little_endian(std::bit_cast<uint32_t>(value));
}

// Fields of Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
std::string event(double wall_time, int64_t step, const std::string& what) {
  return fixed(1, wall_time) + (step != 0 ? number(2, step) : "") + what;
}

std::optional<uint64_t> read_varint(const std::string& message, size_t& at) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && at < message.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(message[at++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

// Returns Event.step, or 0 when it is absent. Our own files have it directly after the wall time.
int64_t step_of(const std::string& message) {
  constexpr size_t kStepAt = 9;
  size_t at = kStepAt;
  if (message.size() <= kStepAt || message.substr(kStepAt, 1) != key(2, kVarint)) return 0;
  const auto step = read_varint(message, ++at);
  return step ? static_cast<int64_t>(*step) : 0;
}

// Returns the message of the frame at `at`, or nothing when the frame is incomplete or a checksum is wrong.
std::optional<std::string> message_at(const std::string& file, size_t at) {
  if (file.size() - at < kHeaderBytes + kFooterBytes) return std::nullopt;
  const auto length = from_little_endian<uint64_t>(file, at);
  if (from_little_endian<uint32_t>(file, at + 8) != masked_crc32c(file.substr(at, 8))) return std::nullopt;
  if (length > file.size() - at - kHeaderBytes - kFooterBytes) return std::nullopt;
  std::string message = file.substr(at + kHeaderBytes, length);
  const auto checksum = from_little_endian<uint32_t>(file, at + kHeaderBytes + length);
  if (checksum != masked_crc32c(message)) return std::nullopt;
  return message;
}

}  // namespace

uint32_t crc32c(const std::string& data) {
  static const std::array<uint32_t, 256> table = crc_table();
  uint32_t crc = ~0u;
  for (const char c : data) crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

uint32_t masked_crc32c(const std::string& data) { return std::rotr(crc32c(data), 15) + kMaskDelta; }

std::string framed_record(const std::string& message) {
  const std::string length = little_endian(static_cast<uint64_t>(message.size()));
  return length + little_endian(masked_crc32c(length)) + message + little_endian(masked_crc32c(message));
}

std::string version_event(double wall_time) { return event(wall_time, 0, bytes(3, "brain.Event:2")); }

// Field of SessionLog: status = 1; the value 1 means START.
std::string session_start_event(double wall_time, int64_t step) {
  return event(wall_time, step, bytes(7, number(1, 1)));
}

// Fields of Summary: value = 1, which has tag = 1 and simple_value = 2.
std::string scalars_event(double wall_time, int64_t step, const std::vector<EventScalar>& scalars) {
  std::string summary;
  for (const EventScalar& scalar : scalars)
    summary += bytes(1, bytes(1, scalar.tag) + fixed(2, static_cast<float>(scalar.value)));
  return event(wall_time, step, bytes(5, summary));
}

// Fields of Summary.Value: tag = 1, tensor = 8, metadata = 9 with plugin_data = 1, which has plugin_name = 1.
// Fields of TensorProto: dtype = 1 (7: string), tensor_shape = 2 (dim = 2, which has size = 1), string_val =
// 8.
std::string text_event(double wall_time, int64_t step, const std::string& tag, const std::string& text) {
  const std::string shape = bytes(2, number(1, 1));
  const std::string tensor = number(1, 7) + bytes(2, shape) + bytes(8, text);
  const std::string value = bytes(1, tag) + bytes(8, tensor) + bytes(9, bytes(1, bytes(1, "text")));
  return event(wall_time, step, bytes(5, bytes(1, value)));
}

std::string records_until(const std::string& file, int64_t step) {
  std::string kept;
  for (size_t at = 0; at < file.size();) {
    const auto message = message_at(file, at);
    if (!message) break;
    const size_t length = kHeaderBytes + message->size() + kFooterBytes;
    if (step_of(*message) <= step) kept += file.substr(at, length);
    at += length;
  }
  return kept;
}

}  // namespace galore
