#include <cmath>

#include "core/test_message.h"
#include "report/log_sink.h"
#include "train/inputs.h"
#include "train/memory_fit.h"
#include "train/mixture_setup.h"
#include "train/test_mixture_training.h"

namespace galore {
namespace {

TEST_F(MixtureTraining, ResumesToTheBit) {
  expect_exact_resume("fixed", {sources(",weight=2", ",weight=1", ",weight=1,max_epochs=0.2")});
  expect_exact_resume("gar", {sources(), "mixture_learning=gar", "mixture_args=update_steps=2,target=clean"});
  expect_exact_resume("next", {sources(), "mixture_learning=gar",
                               "mixture_args=update_steps=2,form=directional,final_weights=average"});
  expect_exact_resume("doge", {sources(), "mixture_learning=doge", "mixture_args=update_steps=2,mu=0.001"});
  expect_exact_resume("aioli",
                      {sources(), "mixture_learning=aioli", "mixture_args=update_steps=10,lp_steps=2"});
}

TEST_F(MixtureTraining, AStreamedMixtureResumesToTheBit) {
  expect_exact_resume("streamed",
                      {sources(",weight=2", ",weight=1", ",weight=1"), "streaming=true", "buffer_size=10"});
}

TEST_F(MixtureTraining, ASourceOfNoiseLosesWeight) {
  train(with({sources(), output("run"), "mixture_learning=gar", "max_steps=60", "save_steps=0",
              "mixture_temperature=inf", "mixture_args=update_steps=2,target=clean:1+more:1,rows=4"}));
  const auto last = mixture_events("run").back();
  const double noise = last.at("weights").at("noise");
  EXPECT_LT(noise, 0.2);
  // The clean sources have one distribution, so they stay alike.
  const double clean = last.at("weights").at("clean"), more = last.at("weights").at("more");
  EXPECT_NEAR(std::log(clean / more), 0, 1);
  EXPECT_TRUE(last.at("frozen"));
  EXPECT_NE(log_.find("the weights of the mixture are fixed"), std::string::npos);
}

TEST_F(MixtureTraining, LogsTokensAndTheLossOfEachSource) {
  train(with(
      {sources("", "", ",eval_files=" + file("eval.bin")), output("run"), eval_file(), "report_to=all"}));
  double tokens = 0;
  const auto last = mixture_events("run").back();
  for (const auto& [name, count] : last.at("tokens").items()) tokens += count.get<double>();
  EXPECT_EQ(tokens, events("run", "step").back().at("tokens_seen").get<double>());
  // All three draw in proportion to their rows.
  EXPECT_NEAR(last.at("weights").at("noise").get<double>(), 100.0 / 225, 1e-12);
  const auto evaluation = events("run", "eval").back();
  EXPECT_EQ(evaluation.at("eval_more_loss"), evaluation.at("eval_loss"));  // the same file
  EXPECT_FALSE(evaluation.contains("eval_noise_loss"));
  EXPECT_TRUE(contains(file_text(folder_ / "run" / "metrics.csv"), "eval_more_loss"));
}

TEST_F(MixtureTraining, EvaluatesHeldOutRowsOfAllSources) {
  train(with({sources(), output("run"), "val_size=0.2"}));
  const auto evaluation = events("run", "eval").back();
  // 15, 20 and 10 rows are held out.
  const double mean = (15 * evaluation.at("eval_clean_loss").get<double>() +
                       20 * evaluation.at("eval_noise_loss").get<double>() +
                       10 * evaluation.at("eval_more_loss").get<double>()) /
                      45;
  EXPECT_NEAR(evaluation.at("eval_loss").get<double>(), mean, 1e-9 * mean);
}

TEST_F(MixtureTraining, EndsWithItsSources) {
  train(with({sources(",weight=1,max_epochs=0.2", ",weight=1,max_epochs=0.1", ",weight=0"), output("run")}));
  // 15 and 10 rows in batches of 4.
  EXPECT_EQ(events("run", "step").back().at("step"), 7);
  EXPECT_TRUE(contains(log_, "all sources have given their max_epochs after 7 updates"));
  EXPECT_TRUE(contains(log_, "the source noise has given its 0.1 epochs"));
}

TEST_F(MixtureTraining, RefusesCombinationsByName) {
  const auto message = [&](const Settings& settings) { return message_of([&] { train(with(settings)); }); };
  EXPECT_TRUE(contains(message({sources(), "train_file=" + file("train.bin")}), "given both"));
  EXPECT_TRUE(contains(message({"train_file=" + file("train.bin"), "mixture_learning=gar"}),
                       "expected none without a mixture"));
  EXPECT_TRUE(contains(message({sources(), "mixture_learning=gar", "streaming=true"}), "streaming=false"));
  EXPECT_TRUE(contains(message({sources(",max_epochs=1"), "streaming=true"}), "max_epochs=0"));
  EXPECT_TRUE(contains(message({sources(), "mixture_learning=gar", "mixture_args=target=good"}), "'good'"));
  EXPECT_TRUE(
      contains(message({sources(), "mixture_learning=gar", "mixture_args=update_step=2"}), "'update_steps'"));
}

TEST_F(MixtureTraining, ThePlanCountsTheMeasurements) {
  for (const std::string args :
       {"gar", "gar,form=directional", "gar,inner=both", "doge,inner=projected", "aioli"}) {
    TrainOptions options;
    OptionTable table;
    const size_t comma = args.find(',');
    const std::string rest = comma == std::string::npos ? "" : args.substr(comma + 1) + ",";
    resolve_settings(
        with({sources(), "mixture_learning=" + args.substr(0, comma),
              "mixture_args=" + rest + "rows=3,update_steps=20", "optim_args=rank=8,update_proj_gap=4"}),
        options, table);
    const ModelConfig config = model_config_of(options);
    const MemoryPlan plan =
        plan_memory(config, model_options(options), options.optimizer, workload_of(options, options));
    RunObjects run = build_model(config, model_options(options), at::kCPU);
    set_weights(*run.model, options, 1);
    add_optimizer(run, options.optimizer);
    auto data = open_train_data(options, nullptr, config, {});
    const auto mixture = make_mixture_run(options, *data, run, 1000);
    run.model->set_dropout({});
    mixture->begin();
    for (int64_t update = 1; update <= 20; ++update) {
      const std::vector<Batch> batches{*data->next()};
      run.optimizer->begin_update(0.01, 1);
      run.model->train_step(batches[0], 0.01);
      run.optimizer->finish_update();
      mixture->after_update(mixture->tokens_of(batches), {update, 0.01}, data->position());
    }
    for (int i = 0; i < kNumOwners; ++i) {
      const Owner owner = static_cast<Owner>(i);
      const int64_t planned = plan.bytes[static_cast<size_t>(i)], taken = run.ledger->bytes(owner);
      // The plan counts an upper bound of orthonormalization: 64 bytes for each of the 96 rows.
      const int64_t more = owner == Owner::workspace ? 64 * 96 : 0;
      EXPECT_TRUE(taken <= planned && planned <= taken + more)
          << args << " " << owner_name(owner) << ": planned " << planned << ", taken " << taken;
    }
  }
}

}  // namespace
}  // namespace galore
