// A temporary folder for a test, which the destructor removes.
#pragma once

#include <stdlib.h>

#include <string>

#include "core/errors.h"
#include "core/files.h"

namespace galore {

class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "galore-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) fail("test", "cannot create {}", pattern);
    path_ = pattern;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const Path& path() const { return path_; }
  Path operator/(const std::string& name) const { return path_ / name; }

 private:
  Path path_;
};

}  // namespace galore
