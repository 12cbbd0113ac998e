// Helpers for the tests of data: a temporary folder for each test, and a tokenizer with readable ids.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "core/test_folder.h"
#include "core/test_message.h"
#include "tokenizer/tokenizer.h"

namespace galore {

// A tokenizer with one id per byte; bos is 256 and eos 257.
class ByteTokenizer : public Tokenizer {
 public:
  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const override {
    std::vector<int32_t> ids;
    if (add_special_tokens) ids.push_back(256);
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  std::string decode(const std::vector<int32_t>& ids, bool skip_special) const override {
    std::string text;
    for (const int32_t id : ids)
      if (id < 256 || !skip_special) text += static_cast<char>(id);
    return text;
  }
  int64_t vocab_size() const override { return 258; }
  std::optional<int64_t> bos_id() const override { return 256; }
  std::optional<int64_t> eos_id() const override { return 257; }
  std::optional<int64_t> pad_id() const override { return std::nullopt; }
  std::string fingerprint() const override { return "bytes"; }
  std::vector<Path> files() const override { return {}; }
};

// Limits the memory that this process may map in addition to its present mappings, for as long as the object
// exists (Linux).
class RestrictedMemory {
 public:
  explicit RestrictedMemory(int64_t more_bytes) {
    int64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    ::getrlimit(RLIMIT_AS, &before_);
    const rlimit limit{static_cast<rlim_t>(pages * ::getpagesize() + more_bytes), before_.rlim_max};
    ::setrlimit(RLIMIT_AS, &limit);
  }
  ~RestrictedMemory() { ::setrlimit(RLIMIT_AS, &before_); }
  RestrictedMemory(const RestrictedMemory&) = delete;
  RestrictedMemory& operator=(const RestrictedMemory&) = delete;

 private:
  rlimit before_{};
};

class DataTest : public testing::Test {
 protected:
  Path write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  TestFolder folder_;
};

}  // namespace galore
