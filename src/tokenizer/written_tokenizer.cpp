#include "tokenizer/written_tokenizer.h"

namespace galore {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson added_token(const SpecialToken& special, bool with_id) {
  OrderedJson token = OrderedJson::object();
  if (with_id) token["id"] = special.id;
  token.update({{"content", special.text},
                {"single_word", false},
                {"lstrip", false},
                {"rstrip", false},
                {"normalized", false},
                {"special", true}});
  return token;
}

// Builds the template "<bos> text <eos>" for one text and for a pair, with the special tokens that the
// options ask for.
OrderedJson post_processor_json(const TokenizerTrainingOptions& options, const WrittenTokens& tokens) {
  OrderedJson special = OrderedJson::object();
  const auto sequence = [&](const char* name, int type) {
    OrderedJson parts = OrderedJson::array();
    const auto put = [&](const SpecialToken& token) {
      special[token.text] = {{"id", token.text}, {"ids", {token.id}}, {"tokens", {token.text}}};
      parts.push_back({{"SpecialToken", {{"id", token.text}, {"type_id", type}}}});
    };
    if (options.add_bos_token) put(tokens.all[tokens.bos]);
    parts.push_back({{"Sequence", {{"id", name}, {"type_id", type}}}});
    if (options.add_eos_token) put(tokens.all[tokens.eos]);
    return parts;
  };
  const OrderedJson single = sequence("A", 0);
  OrderedJson pair = single;
  for (const OrderedJson& part : sequence("B", 1)) pair.push_back(part);
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}};
}

}  // namespace

OrderedJson tokenizer_json(const TokenizerTrainingOptions& options, const WrittenTokens& tokens,
                           const WrittenStages& stages) {
  OrderedJson added = OrderedJson::array();
  for (const SpecialToken& token : tokens.all) added.push_back(added_token(token, true));
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", stages.normalizer},
          {"pre_tokenizer", stages.pre_tokenizer},
          {"post_processor", post_processor_json(options, tokens)},
          {"decoder", stages.decoder},
          {"model", stages.model}};
}

OrderedJson tokenizer_config_json(const TokenizerTrainingOptions& options, const WrittenTokens& tokens) {
  OrderedJson added = OrderedJson::object();
  for (const SpecialToken& token : tokens.all) added[std::to_string(token.id)] = added_token(token, false);
  OrderedJson config = {{"added_tokens_decoder", added},
                        {"bos_token", tokens.all[tokens.bos].text},
                        {"eos_token", tokens.all[tokens.eos].text},
                        {"clean_up_tokenization_spaces", false},
                        {"tokenizer_class", "PreTrainedTokenizerFast"}};
  if (options.model_max_length > 0) config["model_max_length"] = options.model_max_length;
  return config;
}

OrderedJson bpe_json(const std::vector<std::string>& vocabulary,
                     const std::vector<std::pair<std::string, std::string>>& merges) {
  OrderedJson vocab = OrderedJson::object(), pairs = OrderedJson::array();
  for (size_t id = 0; id < vocabulary.size(); ++id)
    vocab.get_ref<OrderedJson::object_t&>().emplace_back(vocabulary[id], id);
  for (const auto& [left, right] : merges) pairs.push_back({left, right});
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", vocab},
          {"merges", pairs}};
}

}  // namespace galore
