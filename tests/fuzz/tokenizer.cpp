// Reads any text as a tokenizer.json. It is refused with an Error, or gives a tokenizer that encodes and
// decodes.
#include "core/errors.h"
#include "fuzz/memory_file.h"
#include "tokenizer/tokenizer_file.h"

namespace {

// The texts have words, digits, other scripts, several kinds of blanks, the names of special tokens, and a
// broken byte.
constexpr const char* kTexts[] = {"",
                                  " ",
                                  "Hello, world! It's 12345.",
                                  "<s>a</s> [CLS] b [SEP]<unk>\n\n\t ",
                                  "\xe4\xbd\xa0\xe5\xa5\xbd caf\xc3\xa9 \xef\xac\x81 e\xcc\x81",
                                  "\xff\xe2\x96\x81 \xf0\x9f\x98\x80"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galore;
  const MemoryFile file(data, size);
  try {
    const Pipeline tokenizer(make_stages(read_tokenizer_file(file.path())));
    const std::string_view second = kTexts[2];
    for (const char* text : kTexts) {
      const auto ids = tokenizer.encode(text, nullptr, true).ids;
      for (const bool skip : {true, false}) tokenizer.decode(ids, skip);
      tokenizer.encode(text, &second, true);
    }
    tokenizer.decode({-1, 0, 1, INT32_MAX}, true);
  } catch (const Error&) {
  }
  return 0;
}
