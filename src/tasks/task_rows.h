// Rows of tasks that read more than text: labels, pairs of sentences, rewards. Files are .jsonl (also
// compressed), .csv and .tsv; a row of any of them is one JSON object.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files.h"

namespace galore {

class Error;

struct TaskRow {
  nlohmann::json values;  // an object
  std::string where;      // file and line, for messages
  std::string text = {};  // the row of a .jsonl file, where keys keep their order
};

// The columns of a table whose first line may lack names, such as a file of GLUE.
struct TableColumn {
  std::string key;         // key in TaskRow::values
  std::string title;       // the column's name in the first line
  int64_t index = 0;       // its place if the file has no names; -1: the last column
  std::string alias = {};  // another name, in tables and in rows of JSON

  bool is_named(const std::string& name) const { return name == title || (!alias.empty() && name == alias); }
};
struct TableLayout {
  std::vector<TableColumn> columns;     // empty: the first line names all columns
  bool leaves_out_short_lines = false;  // true: a line that lacks columns is no row
};

// Returns whether more rows are wanted.
using TakeTaskRow = std::function<bool(const TaskRow&)>;
using SkipTaskRow = std::function<void(const Error&)>;

// Reads the rows of the files (paths or globs) in their order, one at a time, because their JSON
// takes many times the memory of the file. Tables end in .tsv, where quotes mean nothing, or .csv,
// where they follow RFC 4180. A .jsonl or .json file has an object in each line, or one list of
// objects, in which the names of the layout's columns may stand for its keys. A set without rows is
// an Error. A broken row is one, too, with its file and line. `skip`, if given, gets the Error of a
// row that is broken or that `take` refuses by throwing it, and the rows after it are read.
void visit_task_rows(const std::vector<std::string>& files, const TableLayout& layout,
                     const TakeTaskRow& take, const SkipTaskRow& skip = {});

}  // namespace galore
