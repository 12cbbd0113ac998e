#include "data/data_options.h"

#include <ATen/ATen.h>

#include "data/data_test.h"

namespace galore {
namespace {

class DataOptionsTest : public DataTest {
 protected:
  DataOptions options(bool packing) {
    DataOptions options;
    options.files = {write("a.txt", "abc\n\nd").string()};
    options.cache_folder = folder_ / "cache";
    options.batches.packing = packing;
    options.batches.evaluation = true;
    options.batches.rows = 2;
    options.batches.max_length = 5;
    return options;
  }
  std::vector<int64_t> first_batch(const DataOptions& options) {
    const ByteTokenizer tokenizer;
    const auto source = make_batch_source(options, &tokenizer, open_dataset(options, &tokenizer));
    const at::Tensor ids = source->next()->ids;
    return {ids.data_ptr<int64_t>(), ids.data_ptr<int64_t>() + ids.numel()};
  }
};

TEST_F(DataOptionsTest, PackingJoinsByEosAndRowsArePadded) {
  EXPECT_EQ(first_batch(options(true)),
            (std::vector<int64_t>{256, 'a', 'b', 'c', 257, 256, 'd', 257, 257, 257}));
  EXPECT_EQ(first_batch(options(false)),
            (std::vector<int64_t>{256, 'a', 'b', 'c', 257, 256, 'd', 257, 257, 257}));
  auto padded = options(false);
  padded.batches.pad_id = 7;
  padded.prefetch = 0;
  EXPECT_EQ(first_batch(padded), (std::vector<int64_t>{256, 'a', 'b', 'c', 7, 256, 'd', 7, 7, 7}));
}

TEST_F(DataOptionsTest, TextNeedsATokenizer) {
  const auto plain = options(true);
  EXPECT_NE(message_of([&] { open_dataset(plain, nullptr); }).find("tokenizer_name"), std::string::npos);
}

}  // namespace
}  // namespace galore
