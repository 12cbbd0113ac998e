// Rows of tasks that read more than text: labels, pairs of sentences, rewards. Files are .jsonl (also
// compressed), .csv and .tsv; a row of any of them is one JSON object.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files.h"

namespace galore {

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

// Reads all rows of the files (paths or globs). Tables end in .tsv, where quotes mean nothing, or .csv, where
// they follow RFC 4180. A .jsonl or .json file has an object in each line, or one list of objects, in which
// the names of the layout's columns may stand for its keys. A broken row is an Error with its file and line,
// and so is a set without rows.
std::vector<TaskRow> read_task_rows(const std::vector<std::string>& files, const TableLayout& layout);

}  // namespace galore
