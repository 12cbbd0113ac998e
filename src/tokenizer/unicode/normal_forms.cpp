#include "tokenizer/unicode/normal_forms.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "core/errors.h"
#include "tokenizer/unicode/character_classes.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {
namespace {

utf8proc_option_t options_of(NormalForm form) {
  const int composed =
      form == NormalForm::nfc || form == NormalForm::nfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  const int compatible = form == NormalForm::nfkc || form == NormalForm::nfkd ? UTF8PROC_COMPAT : 0;
  return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | composed | compatible);
}

void append_normal_form(std::string& result, std::string_view text, utf8proc_option_t options) {
  if (text.empty()) return;
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &mapped, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (size < 0) fail("tokenizer", "utf8proc cannot normalize a text: {}", utf8proc_errmsg(size));
  result.append(reinterpret_cast<const char*>(mapped), static_cast<size_t>(size));
}

// Returns the offset of the first character that a normal form could change or compose with others. Nothing
// below U+00A0 changes. Nothing up to U+02FF composes with the preceding character, so NFC starts after it.
size_t untouched_prefix(std::string_view text, NormalForm form) {
  const unsigned char limit = form == NormalForm::nfc ? 0xcc : 0xc2;
  size_t length = 0;
  while (length < text.size() && static_cast<unsigned char>(text[length]) < limit) ++length;
  return length;
}

}  // namespace

std::string normal_form(std::string_view text, NormalForm form) {
  size_t done = untouched_prefix(text, form);
  if (done == text.size()) return std::string(text);
  // A mark that follows may be composed with the last untouched character.
  while (done > 0 && (static_cast<unsigned char>(text[done - 1]) & 0xc0) == 0x80) --done;
  if (done > 0) --done;
  std::string result(text.substr(0, done));
  const utf8proc_option_t options = options_of(form);
  // An inert character separates the text before it from the text after it.
  size_t begin = done;
  for_each_code_point(text.substr(done), [&](CodePoint c, size_t offset) {
    if (c.value < 0x80 || !is_inert_in_normal_forms(c.value)) return;
    append_normal_form(result, text.substr(begin, done + offset - begin), options);
    result.append(text.substr(done + offset, c.bytes));
    begin = done + offset + c.bytes;
  });
  append_normal_form(result, text.substr(begin), options);
  return result;
}

}  // namespace galore
