// The filters and tests of Jinja 3.1, with transformers' tojson.
#pragma once

#include <string>

#include "chat/jinja/run.h"

namespace galore::jinja {

Value apply_filter(Run& run, const std::string& name, const Value& subject, const Arguments& arguments);
bool is_filter_name(const std::string& name);
bool apply_test(Run& run, const std::string& name, const Value& subject, const Arguments& arguments);
// Returns the global functions: range, dict, namespace, raise_exception and strftime_now.
FramePtr global_frame();

// Returns json.dumps(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False) with the
// arguments that are given.
std::string to_json(Run& run, const Value& value, const Arguments& arguments);

}  // namespace galore::jinja
