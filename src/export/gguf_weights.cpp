#include "export/gguf_weights.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "checkpoint/weight_names.h"
#include "core/errors.h"
#include "export/gguf_architecture.h"
#include "export/gguf_names.h"
#include "export/gguf_rope.h"

namespace galore {
namespace {

constexpr int64_t kPieceNumbers = 1 << 20;

// The place of each of llama.cpp's rows in the stored tensor.
struct Layout {
  std::function<int64_t(int64_t row)> source = nullptr;  // null: the same place
  bool transposed = false;                               // stored as inputs x outputs (GPT-2)
  bool plus_one = false;                                 // norms with the factor 1 + weight
};

// Returns the row of transformers' matrix that stands in row `row` of llama.cpp's: number i of the first half
// of a head is followed by number i of the second half.
int64_t rotary_row(int64_t row, int64_t rows_of_head) {
  const int64_t inside = row % rows_of_head;
  return row - inside + inside / 2 + (inside % 2) * rows_of_head / 2;
}

// Returns the row of a matrix that holds queries, keys and values head by head, for row `row` of the matrix
// that holds all queries, then all keys, then all values.
int64_t fused_row(int64_t row, int64_t heads, int64_t head_dim) {
  const int64_t part = row / (heads * head_dim), head = row / head_dim % heads;
  return (head * 3 + part) * head_dim + row % head_dim;
}

Layout layout_of(const ModelConfig& config, const GgufArchitecture& architecture, const TensorInfo& info) {
  const std::string& name = info.name;
  const auto holds = [&](const char* part) { return name.find(part) != std::string::npos; };
  Layout layout;
  layout.transposed = config.model_type == "gpt2" && name.ends_with(".weight") && holds(".c_");
  layout.plus_one = architecture.norms_plus_one && name.ends_with("norm.weight");
  const int64_t heads = holds("k_proj.") ? config.num_key_value_heads : config.num_attention_heads;
  if (architecture.neighbours && (holds("q_proj.") || holds("k_proj.")))
    layout.source = [rows = info.shape[0] / heads](int64_t row) { return rotary_row(row, rows); };
  if (holds("query_key_value."))
    layout.source = [heads, size = config.head_dim](int64_t row) { return fused_row(row, heads, size); };
  return layout;
}

void write_rows(const StoredTensor& stored, GgufType type, const Layout& layout,
                const std::function<void(const std::string&)>& take) {
  const std::vector<int64_t>& shape = stored.info->shape;
  const int64_t columns = shape.size() > 1 ? shape[1] : 1, rows = shape[0];
  if (layout.transposed) {
    at::Tensor whole = at::empty({rows, columns}, at::kFloat);
    stored.file->read_part(*stored.info, 0, whole);
    return take(gguf_encoded(type, whole.t().contiguous()));
  }
  const int64_t step = std::max<int64_t>(1, kPieceNumbers / columns);
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t count = std::min(step, rows - begin);
    at::Tensor piece = at::empty({count, columns}, at::kFloat);
    if (!layout.source) stored.file->read_part(*stored.info, begin * columns, piece);
    for (int64_t i = 0; layout.source && i < count; ++i) {
      at::Tensor row = piece[i];
      stored.file->read_part(*stored.info, layout.source(begin + i) * columns, row);
    }
    if (layout.plus_one) piece.add_(1);
    take(gguf_encoded(type, piece));
  }
}

GgufType type_of(const GgufTensor& tensor, GgufType wanted) {
  if (tensor.shape.size() < 2 || tensor.name.starts_with("position_embd") ||
      tensor.name.ends_with("ffn_gate_inp.weight"))
    return GgufType::f32;
  return wanted == GgufType::q8_0 && tensor.shape.back() % 32 != 0 ? GgufType::f16 : wanted;
}

// One of llama.cpp's tensors: a stored tensor or, of a mixture, those of all experts in order.
struct Group {
  std::string name;
  std::vector<StoredTensor> parts;
};

struct NamedTensor {
  std::string name;
  StoredTensor stored;
};

// Returns the tensors of the text model, in the order of the files, under the names that they have alone.
std::vector<NamedTensor> text_tensors(const WeightFiles& files) {
  const bool multimodal = is_multimodal(files);
  std::vector<NamedTensor> tensors;
  for (const StoredTensor& stored : files.tensors()) {
    const std::string& name = stored.info->name;
    if (is_no_weight(name) || (multimodal && is_of_other_part(name))) continue;
    tensors.push_back({multimodal ? name_in_text_model(name) : name, stored});
  }
  return tensors;
}

// Leaves one tensor of a tied matrix, under the embedding's name: llama.cpp takes the embedding for the head
// where the file has none. Where its architecture needs a head, the tensor gets a second name.
void join_tied(const GgufArchitecture& architecture, std::vector<NamedTensor>& tensors) {
  const auto embedding = std::find_if(tensors.begin(), tensors.end(),
                                      [](const NamedTensor& one) { return is_embedding_name(one.name); });
  const bool head_alone = embedding == tensors.end();
  for (NamedTensor& tensor : tensors)
    if (head_alone && is_head_name(tensor.name)) tensor.name = "embed_tokens.weight";
  std::erase_if(tensors, [](const NamedTensor& one) { return is_head_name(one.name); });
  for (size_t i = 0; architecture.needs_head && i < tensors.size(); ++i)
    if (is_embedding_name(tensors[i].name)) {
      tensors.push_back({"lm_head.weight", tensors[i].stored});
      break;
    }
}

std::vector<Group> groups_of(const std::vector<NamedTensor>& tensors, const GgufArchitecture& architecture) {
  std::vector<Group> groups;
  std::unordered_map<std::string, size_t> places;
  for (const auto& [name, stored] : tensors) {
    const std::string ours = gguf_name(name, architecture);
    const auto [place, is_new] = places.try_emplace(ours, groups.size());
    if (is_new) groups.push_back({ours, {}});
    std::vector<StoredTensor>& parts = groups[place->second].parts;
    const size_t number = expert_of(name).value_or(0);
    if (parts.size() <= number) parts.resize(number + 1);
    parts[number] = stored;
  }
  return groups;
}

GgufTensor gguf_tensor(const Group& group, const GgufArchitecture& architecture, const ModelConfig& config,
                       GgufType type) {
  const TensorInfo& info = *group.parts.front().info;
  const Layout layout = layout_of(config, architecture, info);
  GgufTensor tensor{group.name, info.shape, type, {}};
  if (tensor.shape.empty() || tensor.shape.size() > 2)
    fail("export", "gguf: tensor '{}': expected one or two dimensions, given {}", info.name,
         tensor.shape.size());
  if (layout.transposed) std::swap(tensor.shape[0], tensor.shape[1]);
  if (group.name.find("_exps.") != std::string::npos)
    tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(group.parts.size()));
  tensor.type = type_of(tensor, type);
  tensor.write = [parts = group.parts, layout, final_type = tensor.type](const auto& take) {
    for (const StoredTensor& part : parts) write_rows(part, final_type, layout, take);
  };
  return tensor;
}

// Every expert has its number in the configuration's range and the shape of the first.
void check_experts(const Group& group, const ModelConfig& config) {
  const bool are_experts = group.name.find("_exps.") != std::string::npos;
  const size_t expected = are_experts ? static_cast<size_t>(config.num_experts) : 1;
  bool whole = group.parts.size() == expected;
  for (const StoredTensor& part : group.parts)
    whole = whole && part.info && part.info->shape == group.parts.back().info->shape;
  if (!whole) fail("export", "gguf: {}: expected {} tensors of one shape", group.name, expected);
}

}  // namespace

std::vector<GgufTensor> gguf_weights(const WeightFiles& files, const ModelConfig& config, GgufType type) {
  const GgufArchitecture& architecture = gguf_architecture(config);
  std::vector<NamedTensor> stored = text_tensors(files);
  if (config.tie_word_embeddings) join_tied(architecture, stored);
  std::vector<GgufTensor> tensors;
  for (const Group& group : groups_of(stored, architecture)) {
    check_experts(group, config);
    tensors.push_back(gguf_tensor(group, architecture, config, type));
  }
  for (GgufTensor& tensor : gguf_rope_tensors(config)) tensors.push_back(std::move(tensor));
  return tensors;
}

}  // namespace galore
