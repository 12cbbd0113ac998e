#include "report/log_sink.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/errors.h"

namespace galore {

double number_of(const nlohmann::ordered_json& fields, const char* name, double missing) {
  const auto found = fields.find(name);
  return found != fields.end() && found->is_number() ? found->get<double>() : missing;
}

AppendedFile::AppendedFile(Path path) : path_(std::move(path)), file_(std::fopen(path_.c_str(), "a")) {
  if (!file_) fail("log", "cannot open {} for writing: {}", path_.string(), std::strerror(errno));
}

AppendedFile::~AppendedFile() { std::fclose(file_); }

void AppendedFile::append(const std::string& bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size() && std::fflush(file_) == 0) return;
  const std::string reason = std::strerror(errno);
  fail("log", "cannot write {}: {}", path_.string(), reason);
}

void drop_lines(const Path& path, int64_t step,
                const std::function<bool(const std::string&, int64_t)>& keep) {
  if (step < 0) std::filesystem::remove(path);
  if (!std::filesystem::exists(path)) return;
  std::ifstream file(path);
  std::string line, kept;
  while (std::getline(file, line))
    if (!file.eof() && keep(line, step)) kept += line + "\n";
  write_file_atomically(path, kept);
}

}  // namespace galore
