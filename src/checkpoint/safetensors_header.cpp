#include "checkpoint/safetensors_header.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/errors.h"

namespace galore {
namespace {

constexpr size_t kLargestRank = 64;  // the largest rank of a tensor that libtorch can iterate over
constexpr size_t kLongestNameShown = 120;

struct DtypeName {
  const char* name;
  at::ScalarType dtype;
};
constexpr DtypeName kDtypeNames[] = {
    {"F64", at::kDouble}, {"F32", at::kFloat},  {"F16", at::kHalf},   {"BF16", at::kBFloat16},
    {"I64", at::kLong},   {"I32", at::kInt},    {"I16", at::kShort},  {"I8", at::kChar},
    {"U64", at::kUInt64}, {"U32", at::kUInt32}, {"U16", at::kUInt16}, {"U8", at::kByte},
    {"BOOL", at::kBool},
};

// Receives the parser's events. Depth 1 holds the names, depth 2 the fields of one tensor or of the metadata,
// and depth 3 the numbers of shape and data_offsets. Every event outside this structure ends the parsing.
class HeaderEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderEvents(std::string file, SafetensorsHeader* header) : file_(std::move(file)), header_(header) {}

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a truth value"); }
  bool number_integer(number_integer_t value) override {
    return unexpected(fmt::format("the negative number {}", value));
  }
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t, const string_t& text) override {
    return unexpected("the number " + quoted_name(text));
  }
  bool string(string_t& text) override;
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool start_object(size_t) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool key(string_t& text) override;
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail("safetensors", "{}: the header is not valid JSON at byte {}", file_, position);
  }

 private:
  [[noreturn]] bool unexpected(const std::string& what) const {
    fail("safetensors", "{}: tensor {}: unexpected {} in the header (depth {})", file_, quoted_name(name_),
         what, depth_);
  }
  HeaderEntry& entry() { return header_->entries.back(); }

  std::string file_;
  SafetensorsHeader* header_;
  std::string name_, field_;
  std::set<std::string> names_, fields_;
  std::vector<uint64_t>* numbers_ = nullptr;
  int depth_ = 0;
  bool in_metadata_ = false;
};

bool HeaderEvents::number_unsigned(number_unsigned_t value) {
  if (numbers_ == nullptr) unexpected(fmt::format("number {}", value));
  if (numbers_->size() >= kLargestRank)
    fail("safetensors", "{}: tensor {}: more than {} numbers in '{}'", file_, quoted_name(name_),
         kLargestRank, field_);
  numbers_->push_back(value);
  return true;
}

bool HeaderEvents::string(string_t& text) {
  if (depth_ != 2) unexpected("text");
  if (in_metadata_) {
    header_->metadata.emplace(field_, std::move(text));
  } else if (field_ == "dtype") {
    entry().dtype = std::move(text);
  } else {
    unexpected("text");
  }
  return true;
}

bool HeaderEvents::start_object(size_t) {
  if (depth_ >= 2) unexpected("nested object");
  ++depth_;
  fields_.clear();
  in_metadata_ = depth_ == 2 && name_ == "__metadata__";
  if (depth_ == 2 && !in_metadata_) header_->entries.push_back({name_, {}, {}, {}});
  return true;
}

bool HeaderEvents::end_object() {
  if (depth_ == 2 && !in_metadata_) {
    for (const char* field : {"dtype", "shape", "data_offsets"})
      if (!fields_.count(field))
        fail("safetensors", "{}: tensor {}: no '{}' in the header", file_, quoted_name(name_), field);
    if (entry().data_offsets.size() != 2)
      fail("safetensors", "{}: tensor {}: expected two data_offsets, given {}", file_, quoted_name(name_),
           entry().data_offsets.size());
  }
  --depth_;
  return true;
}

bool HeaderEvents::start_array(size_t) {
  if (depth_ != 2 || in_metadata_ || field_ == "dtype") unexpected("array");
  if (numbers_ != nullptr) unexpected("nested array");
  numbers_ = field_ == "shape" ? &entry().shape : &entry().data_offsets;
  return true;
}

bool HeaderEvents::end_array() {
  numbers_ = nullptr;
  return true;
}

bool HeaderEvents::key(string_t& text) {
  if (depth_ == 1) {
    name_ = std::move(text);
    if (!names_.insert(name_).second)
      fail("safetensors", "{}: tensor {} stands in the header twice", file_, quoted_name(name_));
    return true;
  }
  field_ = std::move(text);
  const bool known = field_ == "dtype" || field_ == "shape" || field_ == "data_offsets";
  if (!in_metadata_ && !known) unexpected("field " + quoted_name(field_));
  if (!fields_.insert(field_).second) unexpected("second field " + quoted_name(field_));
  return true;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(const std::string& file, const std::string& text) {
  SafetensorsHeader header;
  if (text.empty() || text.front() != '{')
    fail("safetensors", "{}: the header does not begin with '{{'", file);
  HeaderEvents events(file, &header);
  nlohmann::json::sax_parse(text, &events);
  return header;
}

at::ScalarType safetensors_dtype(const std::string& file, const HeaderEntry& entry) {
  for (const DtypeName& known : kDtypeNames)
    if (entry.dtype == known.name) return known.dtype;
  fail("safetensors", "{}: tensor {}: unknown dtype {}", file, quoted_name(entry.name),
       quoted_name(entry.dtype));
}

std::string safetensors_dtype_name(at::ScalarType dtype) {
  for (const DtypeName& known : kDtypeNames)
    if (dtype == known.dtype) return known.name;
  fail("safetensors", "the format has no dtype {}", c10::toString(dtype));
}

std::string quoted_name(const std::string& name) {
  std::string shown;
  for (const char c : name.substr(0, kLongestNameShown))
    shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return "'" + shown + (name.size() > kLongestNameShown ? "...'" : "'");
}

std::string first_names(const std::vector<std::string>& names) {
  constexpr size_t kNamesShown = 5;
  std::vector<std::string> shown(names.begin(), names.begin() + std::min(names.size(), kNamesShown));
  for (std::string& name : shown) name = quoted_name(name);
  return fmt::format(
      "{}{}", fmt::join(shown, ", "),
      names.size() > kNamesShown ? fmt::format(" and {} more", names.size() - kNamesShown) : "");
}

}  // namespace galore
