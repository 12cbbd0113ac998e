#include "tokenizer/post_processors/post_processor.h"

#include "tokenizer/post_processors/special_tokens_around.h"
#include "tokenizer/post_processors/template.h"

namespace galore {
namespace {

constexpr ComponentKind<PostProcessor> kPostProcessors[] = {
    {"BertProcessing", ComponentKind<PostProcessor>::of_fields<BertPostProcessor>},
    {"ByteLevel", ComponentKind<PostProcessor>::plain<ByteLevelPostProcessor>},
    {"RobertaProcessing", ComponentKind<PostProcessor>::of_fields<RobertaPostProcessor>},
    {"Sequence", ComponentKind<PostProcessor>::of_fields<PostProcessorSequence>},
    {"TemplateProcessing", ComponentKind<PostProcessor>::of_fields<TemplatePostProcessor>},
};

}  // namespace

std::unique_ptr<PostProcessor> make_post_processor(const nlohmann::json& json, const std::string& where) {
  return make_component<PostProcessor>(kPostProcessors, json, where);
}

}  // namespace galore
