// Runs the program with weights in 8-bit codes: trains, resumes to the bit, evaluates and generates.
#include <array>
#include <cstdio>

#include "program.h"

namespace galore {
namespace {

class CodedProgram : public ProgramTest {
 protected:
  // Returns the standard output of a sub-command, which must succeed.
  static nlohmann::json json_of(const std::string& arguments) {
    FILE* pipe = ::popen((std::string(GALORE_PROGRAM) + " " + arguments).c_str(), "r");
    std::string text;
    std::array<char, 4096> buffer{};
    for (size_t count = 0; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
      text.append(buffer.data(), count);
    EXPECT_EQ(::pclose(pipe), 0) << arguments;
    return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  }
};

TEST_F(CodedProgram, TrainsResumesEvaluatesAndGenerates) {
  for (const std::string suffix : {"", "_layerwise"}) {
    const Settings common = {"optim=q_galore_adamw_8bit" + suffix,
                             "optim_args=rank=8,update_proj_gap=4,min_8bit_size=0",
                             "bf16=true",
                             "compute_dtype=float32",
                             "gradient_accumulation_steps=2",
                             "save_steps=3",
                             "max_steps=9",
                             eval_file()};
    Settings whole = common, rest = common;
    const std::string name = "whole" + suffix, other = "rest" + suffix;
    whole.push_back(output(name));
    rest.insert(rest.end(),
                {output(other), "resume_from_checkpoint=" + (folder_ / name / "checkpoint-3").string()});
    ASSERT_EQ(run(whole), 0);
    ASSERT_EQ(run(rest), 0);
    for (const char* file : {"model.safetensors", "optimizer.safetensors"})
      EXPECT_EQ(file_text(folder_ / name / "checkpoint-9" / file),
                file_text(folder_ / other / "checkpoint-9" / file));
    expect_loadable(folder_ / name / "checkpoint-9");

    // The saved model is the decoded one in bf16, so its loss is only this close to the loss in the run.
    const std::string model = " --threads 1 --model_name_or_path " + (folder_ / name).string();
    const auto evaluated = json_of("eval --json --dtype bfloat16 --max_length 16 --eval_file " +
                                   (folder_ / "eval.bin").string() + model);
    const double in_run = events(name, "eval").back().at("eval_loss");
    EXPECT_NEAR(evaluated.at("eval_loss").get<double>() / in_run, 1, 2e-3);
    EXPECT_EQ(json_of("generate --json --prompt_ids 5,16 --max_new_tokens 4 --do_sample false" + model)
                  .at("output_ids")
                  .size(),
              4u);
  }
}

TEST_F(CodedProgram, BenchmarksAndPlans) {
  const std::string run = " --config_name " + (folder_ / "tiny.json").string() +
                          " --optim q_galore_adamw_8bit_layerwise --optim_args rank=8 --max_length 16"
                          " --per_device_train_batch_size 2 --threads 1 --device cpu --json";
  EXPECT_GT(json_of("bench --bench_steps 2" + run).at("tokens_per_second").get<double>(), 0);
  EXPECT_LT(json_of("memory --compare q_galore_adamw_8bit" + run).at("weights").get<int64_t>(),
            json_of("memory --compare galore_adamw_8bit" + run).at("weights").get<int64_t>() / 2);
}

}  // namespace
}  // namespace galore
