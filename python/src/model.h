// A language model, the texts that it generates, and its conversations as classes of torch.
#pragma once

#include <ATen/ATen.h>
#include <torch/custom_class.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cli/chat_session.h"
#include "cli/config_file.h"
#include "cli/generation.h"
#include "tokenizer.h"
#include "train/inputs.h"
#include "worker.h"

namespace galore::python {

// A model that several objects of Python share. One thread at a time computes with it.
struct SharedModel {
  GenerationSettings settings;
  LoadedModel loaded;
  std::mutex computing;

  // Calls `work` with the model and the number of threads that the user wants.
  template <typename Work>
  auto compute(const Work& work) {
    const std::lock_guard lock(computing);
    const ThreadsOfCaller threads;
    return marking_usage_errors([&] {
      set_threads(settings.machine.threads);
      return work(*loaded.model);
    });
  }
  const Tokenizer& tokenizer() const {
    if (!loaded.tokenizer)
      fail_usage("generate", "expected a model with a tokenizer, tokenizer_name or a prompt of ids");
    return *loaded.tokenizer;
  }
  // Returns the settings with the options of a JSON object and, behind them, generation_config.json.
  GenerationSettings with(const std::string& keywords,
                          const std::function<void(OptionTable&)>& declare_more = {}) const {
    GenerationSettings chosen = settings;
    OptionTable table;
    declare_generation(table, chosen);
    if (declare_more) declare_more(table);
    read_config_object(keywords, "generate", table);
    take_generation_defaults(loaded.config, table, chosen);
    return chosen;
  }
};

using Receive = std::function<void(const std::string&)>;

// A text that is being generated. One thread calls run(), and another one takes the pieces and may stop it.
class Generation : public torch::CustomClassHolder {
 public:
  using Work = std::function<GeneratedText(const Receive&)>;
  explicit Generation(Work work) : work_(std::move(work)) {}

  void run() {
    try {
      result_ = work_([this](const std::string& piece) {
        if (stop_) throw Stopped();
        if (!piece.empty()) channel_.put(piece);
      });
    } catch (const Stopped&) {  // the caller has left
    } catch (...) {
      channel_.close();
      throw;
    }
    channel_.close();
  }
  void stop() { stop_ = true; }
  Strings take(double seconds) { return channel_.take(seconds); }
  // Call these when run() has returned.
  std::string text() const { return result_.text; }
  Integers ids() const { return result_.ids; }

 private:
  struct Stopped {};
  Work work_;
  Channel channel_;
  std::atomic<bool> stop_ = false;
  GeneratedText result_;
};

// A conversation, which keeps what the model has computed for it.
class ChatHandle : public torch::CustomClassHolder {
 public:
  // `keywords` are options of generation and of chat templates, and `system`.
  ChatHandle(std::shared_ptr<SharedModel> model, const std::string& keywords) : model_(std::move(model)) {
    ChatSession::Settings settings;
    chosen_ = model_->with(keywords, [&](OptionTable& table) {
      table.add("system", &settings.system, "system message of the conversation");
      declare_chat_template(table, settings.chat);
    });
    settings.stop_strings = chosen_.stop_strings;
    session_ = std::make_shared<ChatSession>(
        *model_->loaded.model, model_->tokenizer(), settings, [this](int64_t prompt_tokens) {
          return options_for_prompt(chosen_, model_->loaded.config, prompt_tokens);
        });
  }

  c10::intrusive_ptr<Generation> answer(const std::string& message) {
    const auto self = c10::intrusive_ptr<ChatHandle>::reclaim_copy(this);
    return c10::make_intrusive<Generation>([self, message](const Receive& receive) {
      return self->model_->compute([&](CausalLM&) { return self->session_->answer(message, receive); });
    });
  }
  void reset() {
    const std::lock_guard lock(model_->computing);
    session_->reset();
  }

 private:
  std::shared_ptr<SharedModel> model_;
  GenerationSettings chosen_;
  std::shared_ptr<ChatSession> session_;
};

class ModelHandle : public torch::CustomClassHolder {
 public:
  // `keywords` are the options of `galore generate` that name a model, and dtype, device and threads.
  explicit ModelHandle(const std::string& keywords) : model_(std::make_shared<SharedModel>()) {
    const ThreadsOfCaller threads;
    marking_usage_errors([&] {
      OptionTable table;
      declare_model_choice(table, model_->settings);
      declare_machine_choice(table, model_->settings);
      read_config_object(keywords, "load_model", table);
      model_->loaded = open_language_model(model_->settings);
      load_weights(model_->loaded, model_->settings);
    });
  }

  Strings notes() const { return model_->loaded.notes; }
  std::string config() const { return model_->loaded.config.source; }
  bool has_tokenizer() const { return model_->loaded.tokenizer != nullptr; }
  c10::intrusive_ptr<TokenizerHandle> tokenizer() const {
    const ModelSource& source = model_->settings.model;
    const std::string& path =
        source.tokenizer_name.empty() ? source.model_name_or_path : source.tokenizer_name;
    return c10::make_intrusive<TokenizerHandle>(path, model_->loaded.tokenizer);
  }
  // ids: [rows, length] int64. Returns [rows, length, vocabulary] in fp32.
  at::Tensor logits(const at::Tensor& ids) {
    return model_->compute([&](CausalLM& model) { return model.logits(checked(ids)); });
  }
  // Returns the sum of the losses of all labels but -100, and their number.
  std::tuple<double, int64_t> loss(const at::Tensor& ids, const at::Tensor& labels) {
    const LossSum sum =
        model_->compute([&](CausalLM& model) { return model.evaluate(checked(ids), labels); });
    return {sum.loss, sum.num_tokens};
  }

  c10::intrusive_ptr<Generation> continue_text(const std::string& prompt, const std::string& keywords) {
    return marking_usage_errors([&] {
      const std::vector<int32_t> ids = model_->tokenizer().encode(prompt, /*add_special_tokens=*/true);
      return continue_ids({ids.begin(), ids.end()}, keywords);
    });
  }
  c10::intrusive_ptr<Generation> continue_ids(const Integers& prompt, const std::string& keywords) {
    return marking_usage_errors([&] {
      const GenerationSettings chosen = model_->with(keywords);
      const GenerateOptions options =
          options_for_prompt(chosen, model_->loaded.config, static_cast<int64_t>(prompt.size()));
      check_range(prompt);
      return c10::make_intrusive<Generation>(
          [model = model_, prompt, chosen, options](const Receive& receive) {
            return model->compute([&](CausalLM& computed) -> GeneratedText {
              if (model->loaded.tokenizer)
                return generate_text(computed, prompt, options, chosen.stop_strings,
                                     decoder_of(model->tokenizer()), receive);
              return {"", generate(computed, prompt, options, [&](int64_t) { return receive(""), true; })};
            });
          });
    });
  }
  c10::intrusive_ptr<ChatHandle> chat(const std::string& keywords) {
    return marking_usage_errors([&] { return c10::make_intrusive<ChatHandle>(model_, keywords); });
  }

 private:
  void check_range(at::ArrayRef<int64_t> ids) const {
    const int64_t size = model_->loaded.config.vocab_size;
    for (const int64_t id : ids)
      if (id < 0 || id >= size) fail_usage("ids", "expected ids from 0 to {}, given {}", size - 1, id);
  }
  at::Tensor checked(const at::Tensor& ids) const {
    const at::Tensor plain = ids.to(at::kCPU, at::kLong).contiguous();
    if (plain.dim() != 2 || plain.numel() == 0)
      fail_usage("ids", "expected rows of ids, [rows, length], given {} dimensions and {} ids", plain.dim(),
                 plain.numel());
    check_range({plain.const_data_ptr<int64_t>(), static_cast<size_t>(plain.numel())});
    return plain;
  }

  std::shared_ptr<SharedModel> model_;
};

}  // namespace galore::python
