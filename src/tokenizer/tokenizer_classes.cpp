#include "tokenizer/tokenizer_classes.h"

#include <algorithm>
#include <array>

namespace galore {
namespace {

using Tokens = std::vector<std::pair<const char*, const char*>>;
using Mask = TokenizerClass::Mask;

const Tokens kLlama = {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}};
const Tokens kGpt2 = {
    {"bos_token", "<|endoftext|>"}, {"eos_token", "<|endoftext|>"}, {"unk_token", "<|endoftext|>"}};
const Tokens kBert = {{"unk_token", "[UNK]"},
                      {"sep_token", "[SEP]"},
                      {"pad_token", "[PAD]"},
                      {"cls_token", "[CLS]"},
                      {"mask_token", "[MASK]"}};
const Tokens kRoberta = {{"bos_token", "<s>"},    {"eos_token", "</s>"},  {"unk_token", "<unk>"},
                         {"sep_token", "</s>"},   {"pad_token", "<pad>"}, {"cls_token", "<s>"},
                         {"mask_token", "<mask>"}};
const Tokens kDeberta = {{"bos_token", "[CLS]"},  {"eos_token", "[SEP]"}, {"unk_token", "[UNK]"},
                         {"sep_token", "[SEP]"},  {"pad_token", "[PAD]"}, {"cls_token", "[CLS]"},
                         {"mask_token", "[MASK]"}};
const Tokens kAlbert = {{"bos_token", "[CLS]"},  {"eos_token", "[SEP]"}, {"unk_token", "<unk>"},
                        {"sep_token", "[SEP]"},  {"pad_token", "<pad>"}, {"cls_token", "[CLS]"},
                        {"mask_token", "[MASK]"}};
const Tokens kMpnet = {{"bos_token", "<s>"},    {"eos_token", "</s>"},  {"unk_token", "[UNK]"},
                       {"sep_token", "</s>"},   {"pad_token", "<pad>"}, {"cls_token", "<s>"},
                       {"mask_token", "<mask>"}};
const Tokens kGemma = {
    {"bos_token", "<bos>"}, {"eos_token", "<eos>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
const Tokens kCohere = {
    {"bos_token", "<BOS_TOKEN>"}, {"eos_token", "<|END_OF_TURN_TOKEN|>"}, {"unk_token", "<UNK>"}};
const Tokens kQwen2 = {
    {"eos_token", "<|endoftext|>"}, {"unk_token", "<|endoftext|>"}, {"pad_token", "<|endoftext|>"}};
const Tokens kBloom = {
    {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
const Tokens kT5 = {{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
const Tokens kClip = {{"bos_token", "<|startoftext|>"},
                      {"eos_token", "<|endoftext|>"},
                      {"unk_token", "<|endoftext|>"},
                      {"pad_token", "<|endoftext|>"}};

const std::vector<TokenizerClass>& classes() {
  static const std::vector<TokenizerClass> table = {
      {"PreTrainedTokenizer", {}, Mask::plain, false, {}, false},
      {"LlamaTokenizer", kLlama, Mask::plain, false, true, false},
      {"CodeLlamaTokenizer", kLlama, Mask::plain, false, true, false},
      {"GemmaTokenizer", kGemma, Mask::plain, false, true, false},
      {"CohereTokenizer", kCohere, Mask::plain, false, true, false},
      {"GPTNeoXTokenizer", kGpt2, Mask::plain, false, false, false},
      {"GPT2Tokenizer", kGpt2, Mask::plain, false, {}, false},
      {"CodeGenTokenizer", kGpt2, Mask::plain, false, {}, false},
      {"WhisperTokenizer", kGpt2, Mask::plain, false, {}, false},
      {"Qwen2Tokenizer", kQwen2, Mask::plain, true, {}, false},
      {"BloomTokenizer", kBloom, Mask::plain, false, {}, false},
      {"T5Tokenizer", kT5, Mask::plain, false, {}, false},
      {"CLIPTokenizer", kClip, Mask::plain, false, {}, false},
      {"BertTokenizer", kBert, Mask::plain, false, {}, true},
      {"DistilBertTokenizer", kBert, Mask::plain, false, {}, true},
      {"ElectraTokenizer", kBert, Mask::plain, false, {}, true},
      {"MobileBertTokenizer", kBert, Mask::plain, false, {}, true},
      {"ConvBertTokenizer", kBert, Mask::plain, false, {}, true},
      {"SqueezeBertTokenizer", kBert, Mask::plain, false, {}, true},
      {"LayoutLMTokenizer", kBert, Mask::plain, false, {}, true},
      {"LxmertTokenizer", kBert, Mask::plain, false, {}, true},
      {"MPNetTokenizer", kMpnet, Mask::swallows_blanks, false, {}, true},
      {"RobertaTokenizer", kRoberta, Mask::swallows_blanks_raw, false, {}, false},
      {"LongformerTokenizer", kRoberta, Mask::swallows_blanks_raw, false, {}, false},
      {"BartTokenizer", kRoberta, Mask::swallows_blanks_special, false, {}, false},
      {"LEDTokenizer", kRoberta, Mask::swallows_blanks_special, false, {}, false},
      {"XLMRobertaTokenizer", kRoberta, Mask::swallows_blanks, false, {}, false},
      {"CamembertTokenizer", kRoberta, Mask::swallows_blanks, false, {}, false},
      {"DebertaTokenizer", kDeberta, Mask::plain, false, {}, false},
      {"DebertaV2Tokenizer", kDeberta, Mask::plain, false, {}, false},
      {"AlbertTokenizer", kAlbert, Mask::swallows_blanks_raw, false, {}, false},
  };
  return table;
}

}  // namespace

const TokenizerClass& tokenizer_class(std::string_view name) {
  if (name.ends_with("Fast")) name.remove_suffix(4);
  const auto found = std::find_if(classes().begin(), classes().end(),
                                  [&](const TokenizerClass& kind) { return name == kind.name; });
  return found == classes().end() ? classes().front() : *found;
}

std::string_view tokenizer_class_of_model(std::string_view model_type) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kModels = {{
      {"llama", "LlamaTokenizer"},
      {"mistral", "LlamaTokenizer"},
      {"mixtral", "LlamaTokenizer"},
      {"gemma", "GemmaTokenizer"},
      {"gemma2", "GemmaTokenizer"},
      {"gemma3", "GemmaTokenizer"},
      {"gpt2", "GPT2Tokenizer"},
      {"gpt_neo", "GPT2Tokenizer"},
      {"gpt_neox", "GPTNeoXTokenizer"},
      {"qwen2", "Qwen2Tokenizer"},
      {"qwen3", "Qwen2Tokenizer"},
      {"bert", "BertTokenizer"},
      {"distilbert", "DistilBertTokenizer"},
      {"electra", "ElectraTokenizer"},
      {"roberta", "RobertaTokenizer"},
      {"bart", "BartTokenizer"},
      {"bloom", "BloomTokenizer"},
      {"t5", "T5Tokenizer"},
      {"xlm-roberta", "XLMRobertaTokenizer"},
      {"albert", "AlbertTokenizer"},
  }};
  const auto found =
      std::find_if(kModels.begin(), kModels.end(), [&](const auto& row) { return row.first == model_type; });
  return found == kModels.end() ? std::string_view() : found->second;
}

}  // namespace galore
