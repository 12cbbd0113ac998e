#include "report/run_history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/test_folder.h"
#include "report/loss_chart.h"
#include "report/page.h"

namespace galore {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kLog = R"({"event":"configuration","time":100,"optim":"galore_adamw","run_name":""}
{"event":"memory","time":100,"planned_bytes":10,"weights":4}
{"event":"subspace","time":101,"step":1,"ranks":{"q":8,"k":4},"captured_energy":{"q":0.9,"k":0.7}}
{"event":"step","time":102,"step":1,"loss":5,"grad_norm":1,"tokens_per_second":10,"tokens_seen":20,"peak_memory_bytes":7}
{"event":"step","time":104,"step":2,"loss":null,"grad_norm":2,"tokens_per_second":30,"tokens_seen":40,"peak_memory_bytes":9}
{"event":"eval","time":105,"step":2,"eval_loss":4,"perplexity":54}
{"event":"configuration","time":1000,"optim":"galore_adamw","run_name":""}
{"event":"subspace","time":1002,"step":3,"ranks":{"q":8,"v":8},"captured_energy":{"q":0.7}}
{"event":"step","time":1003,"step":3,"loss":3,"grad_norm":2,"tokens_per_second":20,"tokens_seen":60,"peak_memory_bytes":9}
{"event":"eval","time":1004,"step":3,"eval_loss":4.5,"perplexity":90}
)";

const std::vector<ChartSpec> kCharts = charts({{.name = "eval_loss", .title = "Loss"}, {.name = "hidden"}});

std::string complaint_of(const Path& path) {
  try {
    read_run(path, kCharts);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(RunHistory, ReadsMetrics) {
  const TestFolder folder;
  std::filesystem::create_directory(folder / "run");
  write_file_atomically(folder / "run/metrics.jsonl",
                        std::string(kLog) + R"({"event":"step","time":1005,"st)");
  for (const char* path : {"run", "run/", "run/metrics.jsonl"}) {
    const Json run = read_run(folder / path, kCharts);
    EXPECT_EQ(run.at("name"), "run");
    EXPECT_EQ(run.at("configuration").at("optim"), "galore_adamw");
    EXPECT_EQ(run.at("memory").at("weights"), 4);
    EXPECT_EQ(run.at("series").at("loss"), Json::parse(R"({"x":[1.0,2.0,3.0],"y":[5,null,3]})"));
    EXPECT_EQ(run.at("series").at("eval_loss").at("y"), Json::parse("[4,4.5]"));
    EXPECT_FALSE(run.at("series").contains("perplexity")) << "no chart draws it";
    EXPECT_EQ(run.at("axes").at("seconds"), Json::parse("[2.0,4.0,8.0]"))
        << "between sessions time stands still";
    EXPECT_EQ(run.at("subspace").at("q"),
              Json::parse(R"({"steps":[1.0,3.0],"ranks":[8.0,8.0],"energy":[0.9,0.7]})"));
    EXPECT_EQ(run.at("subspace").at("v"), Json::parse(R"({"steps":[3.0],"ranks":[8.0],"energy":[null]})"));
    const Json& energy = run.at("series").at("captured_energy").at("y");
    EXPECT_NEAR(energy[0].get<double>(), 0.8, 1e-12);
    EXPECT_NEAR(energy[1].get<double>(), 0.7, 1e-12) << "k had 0.7 before";
    const Json& summary = run.at("summary");
    EXPECT_EQ(summary.at("steps"), 3);
    EXPECT_EQ(summary.at("last_loss"), 3);
    EXPECT_EQ(summary.at("best_eval_loss"), 4);
    EXPECT_EQ(summary.at("best_eval_step"), 2);
    EXPECT_EQ(summary.at("tokens_per_second"), 20) << "the median";
  }
}

TEST(RunHistory, ReadsTheWeightsOfAMixture) {
  const TestFolder folder;
  write_file_atomically(folder / "metrics.jsonl",
                        std::string(kLog) +
                            R"({"event":"mixture","time":1004,"step":2,"weights":{"a":0.25,"b":0.75}}
{"event":"mixture","time":1005,"step":3,"weights":{"a":0.5,"b":0.5}}
)");
  const auto sources = mixture_sources({folder.path().string(), (folder / "absent").string()});
  EXPECT_EQ(sources, (std::vector<std::string>{"a", "b"}));
  const auto all = charts({}, sources);
  const Json run = read_run(folder.path(), all);
  EXPECT_EQ(run.at("series").at(weight_series("b")), Json::parse(R"({"x":[2.0,3.0],"y":[0.75,0.5]})"));
  EXPECT_NE(charts_json(all).dump().find("Weight of b"), std::string::npos);
}

TEST(RunHistory, ReadsTheStateOfTheLastCheckpoint) {
  const TestFolder folder;
  for (const char* name : {"checkpoint-9", "checkpoint-10"}) {
    std::filesystem::create_directory(folder / name);
    write_file_atomically(folder / name / "trainer_state.json",
                          R"({"log_history": [{"step": 5, "loss": 2.5, "learning_rate": 0.1, "epoch": 1},
                              {"step": 5, "eval_loss": 2.25}, {"step": 10, "loss": 2.0}],
                              "stateful_callbacks": {"galore": {"settings": {"optim": "sgd"}}}})");
  }
  write_file_atomically(folder / "checkpoint-9/trainer_state.json", "{}");
  const Json run = read_run(folder.path(), kCharts);
  EXPECT_EQ(run.at("series").at("loss").at("y"), Json::parse("[2.5,2.0]"));
  EXPECT_EQ(run.at("configuration").at("optim"), "sgd");
  EXPECT_EQ(run.at("series").at("eval_loss").at("x"), Json::parse("[5.0]"));
  EXPECT_NE(complaint_of(folder / "checkpoint-9").find("expected a JSON object with log_history"),
            std::string::npos);
}

TEST(RunHistory, WhatIsNoRunIsNamed) {
  const TestFolder folder;
  EXPECT_NE(complaint_of(folder / "none").find("does not exist"), std::string::npos);
  EXPECT_NE(complaint_of(folder.path()).find("expected a metrics.jsonl"), std::string::npos);
  write_file_atomically(folder / "metrics.jsonl", "{\"event\":\"a\"}\nnot JSON\n");
  EXPECT_NE(complaint_of(folder.path()).find("metrics.jsonl:2: expected an event"), std::string::npos);
  write_file_atomically(folder / "metrics.jsonl", "{\"event\":\"a\"}\n");
  EXPECT_NE(complaint_of(folder.path()).find("no update has been logged yet"), std::string::npos);
}

TEST(RunHistory, AThinnedCurveKeepsItsSpikes) {
  Curve curve;
  for (int i = 0; i < 100000; ++i) {
    curve.x.push_back(i);
    curve.y.push_back(i == 77777 ? 1000.0 : i == 55555 ? -1000.0 : 1.0);
  }
  const Curve few = thinned(curve, 1000);
  EXPECT_LE(few.x.size(), 1001u);
  EXPECT_EQ(std::count(few.x.begin(), few.x.end(), 77777), 1);
  EXPECT_EQ(std::count(few.x.begin(), few.x.end(), 55555), 1);
  EXPECT_EQ(few.x.back(), 99999);
  EXPECT_TRUE(std::is_sorted(few.x.begin(), few.x.end()));
}

TEST(ReportPage, IsWholeAndSafe) {
  const TestFolder folder;
  write_file_atomically(folder / "metrics.jsonl", kLog);
  Json run = read_run(folder.path(), kCharts);
  run["name"] = "</script><b>";
  const std::string page = report_page({run, run}, kCharts);
  EXPECT_EQ(page.find("</script><b>"), std::string::npos);
  for (const char* mark : {"@TITLE@", "@CSS@", "@SCRIPT@", "@DATA@", "@LEGEND@", "src=", "href=", "@import"})
    EXPECT_EQ(page.find(mark), std::string::npos) << mark;
  const size_t begin = page.find("id=\"data\">") + 10;
  const Json data = Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
  ASSERT_EQ(data.size(), 2u);
  EXPECT_EQ(data[0].at("name"), data[0].at("path")) << "two runs of one name";
}

TEST(ReportPage, HasAChartForEachMetricThatIsDrawn) {
  const TestFolder folder;
  write_file_atomically(folder / "metrics.jsonl", kLog);
  const std::string page = report_page({read_run(folder.path(), kCharts)}, kCharts);
  const size_t begin = page.find("id=\"legend-data\">") + 17;
  const Json legend = Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
  std::vector<std::string> titles;
  for (const Json& chart : legend.at("charts")) {
    titles.push_back(chart.at("title"));
    EXPECT_NE(page.find("\n  " + chart.at("format").get<std::string>()), std::string::npos) << "in formats";
  }
  EXPECT_EQ(titles,
            (std::vector<std::string>{"Training loss", "Loss", "Gradient norm", "Learning rate",
                                      "Tokens per second", "Memory in use", "Mean rank", "Captured energy"}));
  EXPECT_EQ(legend.at("owners").at(1), "master weights");
}

TEST(LossChart, DrawsWhatIsFinite) {
  const std::string svg = loss_chart("a < b", {{1, 5}, {2, NAN}, {3, 3}}, {{3, 4}});
  EXPECT_EQ(svg.substr(0, 4), "<svg");
  EXPECT_NE(svg.find("a &lt; b"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_NE(svg.find(">training<"), std::string::npos);
  EXPECT_NE(svg.find(">evaluation<"), std::string::npos);
  EXPECT_EQ(loss_chart("x", {{1, NAN}}, {}), "");
  EXPECT_NE(loss_chart("x", {{1, 2}}, {}), "") << "one point";
}

}  // namespace
}  // namespace galore
