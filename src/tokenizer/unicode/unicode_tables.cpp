#include "tokenizer/unicode/unicode_tables.h"

namespace galore::unicode_tables {
namespace {

#include "tokenizer/unicode/unicode_tables.inc"

}  // namespace

std::span<const CodePointRange> white_space() { return kWhiteSpace; }
std::span<const CodePointRange> rust_word() { return kRustWord; }
std::span<const CodePointRange> numeric() { return kNumeric; }
std::span<const CodePointRange> punctuation() { return kPunctuation; }
std::span<const CodePointRange> bert_removed() { return kBertRemoved; }
std::span<const CodePointRange> nonspacing_mark() { return kNonspacingMark; }
std::span<const CodePointRange> combining_mark() { return kCombiningMark; }
std::span<const CodePointRange> nmt_removed() { return kNmtRemoved; }
std::span<const CodePointRange> nmt_space() { return kNmtSpace; }
std::span<const CodePointRange> inert_in_normal_forms() { return kInertInNormalForms; }
std::span<const CodePointRange> han() { return kHan; }
std::span<const CategoryRange> younger_than_unicode_14() { return kYoungerThanUnicode14; }
std::span<const LowercaseRun> lowercase() { return kLowercase; }
std::span<const ScriptRun> scripts() { return kScripts; }

}  // namespace galore::unicode_tables
