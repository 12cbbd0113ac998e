#include "checkpoint/json_file.h"

#include "core/errors.h"
#include "core/file_kinds.h"

namespace galore {
namespace {

constexpr int kLargestDepth = 64;

}  // namespace

Json parse_json_object(const std::string& where, const std::string& text) {
  const auto check_depth = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kLargestDepth) fail("json", "{}: nested more than {} deep", where, kLargestDepth);
    return true;
  };
  Json value;
  try {
    value = Json::parse(text, check_depth);
  } catch (const Json::exception& error) {
    const std::string kind = misplaced_file(text);
    if (!kind.empty()) fail("json", "{}: {}", where, kind);
    fail("json", "{}: not valid JSON: {}", where, error.what());
  }
  if (!value.is_object()) fail("json", "{}: expected an object, given {}", where, value.type_name());
  return value;
}

Json read_json_object(const Path& path) {
  return parse_json_object(path.string(), read_file(path, kLargestJsonFile));
}

std::string json_text(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace galore
