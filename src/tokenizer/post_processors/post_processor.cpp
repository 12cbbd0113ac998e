#include "tokenizer/post_processors/post_processor.h"

#include "tokenizer/post_processors/special_tokens_around.h"
#include "tokenizer/post_processors/template.h"

namespace galore {
namespace {

using Row = ComponentKind<PostProcessor>;
constexpr Row kPostProcessors[] = {
    {"BertProcessing", Row::of_fields<BertPostProcessor>},
    {"ByteLevel", Row::plain<ByteLevelPostProcessor>},
    {"RobertaProcessing", Row::of_fields<RobertaPostProcessor>},
    {"Sequence", Row::of_fields<PostProcessorSequence>},
    {"TemplateProcessing", Row::of_fields<TemplatePostProcessor>},
};

}  // namespace

std::unique_ptr<PostProcessor> make_post_processor(const nlohmann::json& json, const std::string& where) {
  return make_component<PostProcessor>(kPostProcessors, json, where);
}

}  // namespace galore
