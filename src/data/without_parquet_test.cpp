#include "data/data_test.h"
#include "data/documents.h"

namespace galore {
namespace {

TEST_F(DataTest, ParquetAsksForABuildWithArrow) {
  const Path path = write("rows.parquet", "PAR1");
  const std::string message = message_of([&] { open_documents(path, {TextDocuments::line}); });
  EXPECT_TRUE(message.starts_with("[" + path.string() + "] ")) << message;
  for (const char* part :
       {"given a .parquet, which this build cannot read", "-DGALORE_PARQUET=ON", "scripts/setup --parquet"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

}  // namespace
}  // namespace galore
