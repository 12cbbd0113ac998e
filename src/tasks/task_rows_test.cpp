// Rows of tasks, as they stand in files.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/errors.h"
#include "core/test_folder.h"
#include "core/test_message.h"
#include "tasks/task.h"

namespace galore {
namespace {

using Json = nlohmann::json;

class Rows : public testing::Test {
 protected:
  std::vector<TaskRow> read(const std::string& name, const std::string& text,
                            const TableLayout& layout = {}) {
    write_file_atomically(folder_.path() / name, text);
    std::vector<TaskRow> rows;
    visit_task_rows({(folder_.path() / name).string()}, layout, [&](const TaskRow& row) {
      rows.push_back(row);
      return true;
    });
    return rows;
  }
  std::string where(const std::string& name, int line) {
    return "[" + (folder_.path() / name).string() + ":" + std::to_string(line) + "] ";
  }
  TestFolder folder_;
};

TEST_F(Rows, OfTablesHaveNamesOrPlaces) {
  const TableLayout cola = find_task("sequence_classification", "cola").layout();
  const auto rows = read("in.tsv", "gj04\t1\t\tShe \"said.\ncj99\t0\t*\tYes\n", cola);
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[0].values, Json({{"sentence", "She \"said."}, {"label", "1"}}));
  const TableLayout mrpc = find_task("sequence_classification", "mrpc").layout();
  const auto pairs =
      read("m.txt", "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\ta\tb\n", mrpc);
  ASSERT_EQ(pairs.size(), 1);
  EXPECT_EQ(pairs[0].values, Json({{"sentence1", "a"}, {"sentence2", "b"}, {"label", "1"}}));
  EXPECT_EQ(message_of([&] { read("short.tsv", "a\tb\n", cola); }),
            where("short.tsv", 1) + "expected at least 4 columns, given 2");
}

// A broken row is one that no row can be made of, or one that is refused where it is taken.
TEST_F(Rows, ThatAreBrokenAreSkippedIfThatIsWanted) {
  const std::string path = (folder_.path() / "rows.jsonl").string();
  write_file_atomically(path, "{\"n\": 1}\n{\"n\": 2\n[3]\n{\"n\": 4}\n{\"n\": 5}\n");
  std::vector<int> taken;
  std::vector<std::string> faults;
  const auto take = [&](const TaskRow& row) {
    const int number = row.values["n"];
    if (number == 4) throw Error("four");
    taken.push_back(number);
    return true;
  };
  visit_task_rows({path}, {}, take, [&](const Error& error) { faults.emplace_back(error.what()); });
  EXPECT_EQ(taken, (std::vector<int>{1, 5}));
  EXPECT_EQ(faults, (std::vector<std::string>{where("rows.jsonl", 2) + "expected a JSON object",
                                              where("rows.jsonl", 3) + "expected a JSON object", "four"}));
  EXPECT_EQ(message_of([&] { visit_task_rows({path}, {}, take); }), faults[0]);
}

TEST_F(Rows, EndWhenNoMoreAreWanted) {
  for (const char* name : {"rows.jsonl", "rows.json", "rows.csv"}) {
    const std::string path = (folder_.path() / name).string(), rows = "{\"n\": 1},\n{\"n\": 2}";
    write_file_atomically(path, name == std::string("rows.csv")    ? "n\n1\n2\n"
                                : name == std::string("rows.json") ? "[" + rows + "]"
                                                                   : "{\"n\": 1}\nbroken\n");
    int taken = 0;
    visit_task_rows({path, "no such file"}, {}, [&](const TaskRow&) { return ++taken < 1; });
    EXPECT_EQ(taken, 1) << name;
  }
}

// The data sets of the hub name the columns as run_glue.py does.
TEST_F(Rows, OfTasksHaveTheNamesOfTheHub) {
  const auto layout = [](const char* task) { return find_task("sequence_classification", task).layout(); };
  const std::string qnli = R"({"question": "a", "sentence": "b", "label": 1, "idx": 5})";
  const auto asked = read("qnli.jsonl", qnli + "\n", layout("qnli"));
  EXPECT_EQ(asked[0].values["sentence1"], "a");
  EXPECT_EQ(asked[0].values["sentence2"], "b");
  const auto ours = read("ours.jsonl", R"({"sentence1": "a", "sentence2": "b", "label": 1})", layout("qnli"));
  EXPECT_EQ(ours[0].values.size(), 3U);
  const std::string table = "premise,hypothesis,label,idx\nx,y,0,3\n";
  EXPECT_EQ(read("mnli.csv", table, layout("mnli"))[0].values,
            Json({{"sentence1", "x"}, {"sentence2", "y"}, {"label", "0"}}));
}

TEST_F(Rows, OfQqpThatLackColumnsAreLeftOut) {
  const std::string text =
      "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\ta\tb\t1\n4\t5\t6\tbroken\n";
  const auto qqp = find_task("sequence_classification", "qqp").layout();
  EXPECT_EQ(read("qqp.tsv", text, qqp).size(), 1U);
}

TEST_F(Rows, OfOneListAreItsObjects) {
  const auto rows = read("list.json", "[{\"label\": 1},\n {\"label\": 2}]");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].values["label"], 2);
  EXPECT_EQ(message_of([&] { read("bad.json", "[{\"label\": 1}, 3]"); }),
            "[" + (folder_.path() / "bad.json").string() + ": row 2] expected a JSON object");
}

TEST_F(Rows, OfCommasFollowTheirQuotes) {
  const auto rows = read("in.csv", "sentence,label\n\"a, \"\"b\"\"\nc\",good\nplain,bad\n");
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[0].values, Json({{"sentence", "a, \"b\"\nc"}, {"label", "good"}}));
  EXPECT_EQ(message_of([&] { read("open.csv", "sentence,label\n\"a,1\n"); }),
            where("open.csv", 2) + "a quoted field does not end");
}

TEST_F(Rows, OfJsonAreObjects) {
  EXPECT_EQ(read("a.jsonl", "{\"label\":1}\n\n{\"label\":2}\n").size(), 2);
  EXPECT_EQ(message_of([&] { read("b.jsonl", "{\"label\":1}\n[1]\n"); }),
            where("b.jsonl", 2) + "expected a JSON object");
  EXPECT_EQ(message_of([&] { read("c.parquet", "x"); }),
            "[" + (folder_.path() / "c.parquet").string() +
                "] expected a .jsonl, .tsv or .csv file, given the extension '.parquet'");
}

}  // namespace
}  // namespace galore
