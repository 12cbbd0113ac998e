#include "checkpoint/model_folder.h"

#include "core/errors.h"
#include "core/file_kinds.h"

namespace galore {
namespace {

namespace fs = std::filesystem;

// Returns the folder checkpoint-N with the largest N and a config.json, or "".
Path latest_checkpoint(const Path& folder) {
  Path latest;
  int64_t most = -1;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("checkpoint-") || !fs::exists(entry.path() / "config.json")) continue;
    const int64_t step = std::atoll(name.c_str() + 11);
    if (step > most) most = step, latest = entry.path();
  }
  return latest;
}

}  // namespace

void require_model(const Path& source) {
  const std::string name = source.string();
  if (!fs::exists(source)) fail("model", "{}", missing_folder(name));
  if (!fs::is_directory(source) || fs::exists(source / "config.json")) return;
  if (fs::exists(source / "adapter_config.json"))
    fail("model",
         "{} holds an adapter without its model: merge them (merge_and_unload of peft) and save that", name);
  const Path latest = latest_checkpoint(source);
  if (!latest.empty())
    fail("model", "{} holds no config.json but checkpoints: give one of them, such as {}", name,
         latest.string());
  fail("model", "{}: expected a folder with a config.json", name);
}

}  // namespace galore
