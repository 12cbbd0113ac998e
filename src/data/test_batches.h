// Provides data sets with distinguishable rows, and the rows of batches, for tests.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "data/batch_options.h"
#include "data/batch_source.h"
#include "data/data_test.h"

namespace galore {

using Row = std::vector<int64_t>;

inline std::vector<Row> rows_of(const at::Tensor& tensor) {
  std::vector<Row> rows;
  for (int64_t i = 0; i < tensor.size(0); ++i) {
    const int64_t* first = tensor.const_data_ptr<int64_t>() + i * tensor.size(1);
    rows.emplace_back(first, first + tensor.size(1));
  }
  return rows;
}

// Returns rows without the padding, which depends on the other rows of a batch.
inline std::vector<Row> take_rows(BatchSource& source, int64_t batches) {
  std::vector<Row> taken;
  for (int64_t i = 0; i < batches; ++i) {
    const auto batch = source.next();
    if (!batch) break;
    for (Row& row : rows_of(batch->ids)) {
      while (row.back() == 300) row.pop_back();
      taken.push_back(std::move(row));
    }
  }
  return taken;
}

class RowsTest : public DataTest {
 protected:
  // Writes 1000 documents of 1 to 13 tokens. Every token of a document is the document's number, so that a
  // lost document shows.
  std::shared_ptr<const TokenDataset> dataset(bool separator) {
    std::string rows;
    for (int i = 0; i < 1000; ++i) {
      rows += "{\"input_ids\":[" + std::to_string(i);
      for (int j = 0; j < i % 13; ++j) rows += "," + std::to_string(i);
      rows += "]}\n";
    }
    write("rows.jsonl", rows);
    DatasetOptions options;
    options.files = {(folder_ / "rows.jsonl").string()};
    options.cache_folder = folder_ / "cache";
    if (separator) options.tokenization.separator = 5000;
    return std::make_shared<TokenDataset>(options, nullptr);
  }
  static BatchOptions batches(Packing packing, int64_t rows, int64_t length) {
    BatchOptions options;
    options.rows = rows, options.max_length = length, options.packing = packing;
    options.pad_id = 9999;
    return options;
  }
};

}  // namespace galore
