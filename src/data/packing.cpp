#include "data/packing.h"

#include "core/errors.h"

namespace galore {

const char* packing_name(Packing packing) {
  switch (packing) {
    case Packing::none:
      return "false";
    case Packing::joined:
      return "true";
    case Packing::isolated:
      return "isolated";
  }
  return "";
}

Packing packing_in_use(Packing wanted, const FileKinds& files) {
  const bool has_labels = !files.with_labels.empty();
  if (!files.tokens.empty()) {
    if (has_labels)
      fail(files.with_labels, "expected rows without labels beside {}, which has no document boundaries",
           files.tokens);
    if (wanted == Packing::isolated)
      fail(files.tokens, "packing=isolated: expected files with documents; a .bin has no boundaries");
    return Packing::joined;
  }
  if (wanted != Packing::joined || !has_labels) return wanted;
  if (!files.without_labels.empty())
    fail(files.with_labels,
         "the rows have labels and those of {} have none: expected packing=isolated or packing=false for "
         "both in one data set, given packing=true",
         files.without_labels);
  return Packing::isolated;
}

std::string cut_message(int64_t count, const std::string& name, int64_t max_length) {
  return fmt::format("{} examples of {} are longer than max_length={} and were cut", count, name, max_length);
}

}  // namespace galore
