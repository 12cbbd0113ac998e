#include "tokenizer/post_processors/post_processor.h"

#include "tokenizer/post_processors/special_tokens_around.h"
#include "tokenizer/post_processors/template.h"

namespace galore {
namespace {

template <typename Kind>
std::unique_ptr<PostProcessor> of_fields(const JsonFields& fields) {
  return std::make_unique<Kind>(fields);
}
std::unique_ptr<PostProcessor> byte_level(const JsonFields&) {
  return std::make_unique<ByteLevelPostProcessor>();
}

constexpr ComponentKind<PostProcessor> kPostProcessors[] = {
    {"BertProcessing", of_fields<BertPostProcessor>},         {"ByteLevel", byte_level},
    {"RobertaProcessing", of_fields<RobertaPostProcessor>},   {"Sequence", of_fields<PostProcessorSequence>},
    {"TemplateProcessing", of_fields<TemplatePostProcessor>},
};

}  // namespace

std::unique_ptr<PostProcessor> make_post_processor(const nlohmann::json& json, const std::string& where) {
  return make_component<PostProcessor>(kPostProcessors, json, where);
}

}  // namespace galore
