#include "report/page.h"

#include <map>

#include "core/memory.h"
#include "report/markup.h"
#include "report/page_parts.h"

namespace galore {
namespace {

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// Replaces "<": in a string within <script>, "</script>" would end the script and "<!--" would hide the rest.
std::string script_data(const nlohmann::ordered_json& data) {
  std::string text = data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  replace_all(text, "<", "\\u003c");
  return text;
}

// Returns the owners of planned bytes, with the names from a run's "memory" event.
nlohmann::ordered_json owners() {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (int owner = 0; owner < kNumOwners; ++owner) names.push_back(owner_name(static_cast<Owner>(owner)));
  return names;
}

}  // namespace

std::string report_page(std::vector<nlohmann::ordered_json> runs, const std::vector<ChartSpec>& charts) {
  std::map<std::string, int> uses;
  for (const auto& run : runs) ++uses[run.at("name").get<std::string>()];
  for (auto& run : runs)
    if (uses[run.at("name").get<std::string>()] > 1) run["name"] = run.at("path");
  const std::string title = runs.size() == 1 ? runs[0].at("name").get<std::string>() : "galore: runs";
  std::string page = page_parts::kHtml;
  replace_all(page, "@TITLE@", escaped_markup(title));
  replace_all(page, "@CSS@", page_parts::kCss);
  replace_all(page, "@SCRIPT@", page_parts::kScript);
  replace_all(page, "@LEGEND@", script_data({{"charts", charts_json(charts)}, {"owners", owners()}}));
  replace_all(page, "@DATA@", script_data(runs));
  return page;
}

}  // namespace galore
