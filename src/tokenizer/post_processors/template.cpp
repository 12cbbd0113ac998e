#include "tokenizer/post_processors/template.h"

namespace galore {
namespace {

using Json = nlohmann::json;

std::map<std::string, std::vector<int32_t>> read_special_ids(const JsonFields& fields) {
  std::map<std::string, std::vector<int32_t>> special;
  const Json* tokens = fields.find("special_tokens");
  if (!tokens) return special;
  const JsonFields all(*tokens, fields.place("special_tokens"));
  for (const auto& [name, value] : tokens->items()) {
    const JsonFields token(value, all.place(name));
    for (const Json& id : token.array("ids")) {
      if (!id.is_number_integer() || id < 0 || id > INT32_MAX) token.refuse("ids", "token ids");
      special[name].push_back(id.get<int32_t>());
    }
  }
  return special;
}

}  // namespace

TemplatePostProcessor::TemplatePostProcessor(const JsonFields& fields) {
  const SpecialIds special = read_special_ids(fields);
  single_ = read_template(fields, "single", special);
  pair_ = read_template(fields, "pair", special);
  for (const Part& part : single_)
    if (part.sequence == 1) fields.refuse("single", "no sequence B");
}

std::vector<TemplatePostProcessor::Part> TemplatePostProcessor::read_template(const JsonFields& fields,
                                                                              const char* key,
                                                                              const SpecialIds& special) {
  std::vector<Part> parts;
  for (const Json& entry : fields.array(key)) {
    const JsonFields item(entry, fields.place(key));
    const bool is_sequence = item.find("Sequence") != nullptr;
    const JsonFields value = item.object(is_sequence ? "Sequence" : "SpecialToken");
    Part part;
    part.type_id = static_cast<int32_t>(value.integer("type_id", 0));
    const std::string name = value.text("id");
    if (is_sequence) {
      if (name != "A" && name != "B") value.refuse("id", "A or B");
      part.sequence = name == "A" ? 0 : 1;
    } else {
      const auto found = special.find(name);
      if (found == special.end()) fail(value.where(), "id: '{}' is not among special_tokens", name);
      part.ids = found->second;
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

void TemplatePostProcessor::process(std::vector<IdSequence>& sequences, bool add_special_tokens) const {
  std::vector<IdSequence> result;
  for (const Part& part : sequences.size() > 1 ? pair_ : single_) {
    if (part.sequence >= 0) {
      IdSequence sequence = sequences.at(static_cast<size_t>(part.sequence));
      sequence.type_ids.assign(sequence.ids.size(), part.type_id);
      result.push_back(std::move(sequence));
    } else if (add_special_tokens) {
      IdSequence tokens;
      for (const int32_t id : part.ids) tokens.append(id, part.type_id);
      result.push_back(std::move(tokens));
    }
  }
  sequences = std::move(result);
}

int64_t TemplatePostProcessor::num_added(bool pair) const {
  int64_t sum = 0;
  for (const Part& part : pair ? pair_ : single_) sum += static_cast<int64_t>(part.ids.size());
  return sum;
}

}  // namespace galore
