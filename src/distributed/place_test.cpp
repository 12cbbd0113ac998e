// Tests how the place of a process follows from the variables of launchers.
#include "distributed/place.h"

#include <gtest/gtest.h>

#include <map>

#include "core/test_message.h"

namespace galore {
namespace {

using Variables = std::map<std::string, std::string>;

ProcessPlace place_in(const Variables& variables, const std::string& init = "") {
  return place_of(init, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(Place, IsAloneWithoutALauncher) {
  EXPECT_TRUE(place_in({}).is_alone());
  // A shell of salloc has the variables of the allocation, but no step was started.
  EXPECT_TRUE(place_in({{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}}).is_alone());
}

TEST(Place, FollowsTorchrun) {
  Variables variables{{"RANK", "5"},
                      {"WORLD_SIZE", "8"},
                      {"LOCAL_RANK", "1"},
                      {"LOCAL_WORLD_SIZE", "4"},
                      {"MASTER_ADDR", "a.b"},
                      {"MASTER_PORT", "1234"},
                      {"TORCHELASTIC_RUN_ID", "x"},
                      {"TORCHELASTIC_RESTART_COUNT", "2"}};
  ProcessPlace place = place_in(variables);
  EXPECT_EQ(place.rank, 5);
  EXPECT_EQ(place.size, 8);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.local_size, 4);
  EXPECT_EQ(place.master, "a.b");
  EXPECT_EQ(place.port, 1234);
  EXPECT_EQ(place.attempt, "x/2");
  EXPECT_FALSE(place.serves);
  variables["RANK"] = "0";
  EXPECT_TRUE(place_in(variables).serves);
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "True";  // torchrun's agent keeps the store
  EXPECT_FALSE(place_in(variables).serves);
}

TEST(Place, FollowsSlurm) {
  Variables variables{{"SLURM_STEP_ID", "0"},
                      {"SLURM_JOB_ID", "77"},
                      {"SLURM_NTASKS", "7"},
                      {"SLURM_PROCID", "6"},
                      {"SLURM_LOCALID", "0"},
                      {"SLURM_NODEID", "3"},
                      {"SLURM_STEP_NODELIST", "node[03-05,9]"},
                      {"SLURM_STEP_TASKS_PER_NODE", "2(x3),1"}};
  const ProcessPlace place = place_in(variables);
  EXPECT_EQ(place.rank, 6);
  EXPECT_EQ(place.local_size, 1);
  EXPECT_EQ(place.master, "node03");
  variables["SLURM_PROCID"] = "0";
  EXPECT_EQ(place_in(variables).port, place.port);
  EXPECT_TRUE(place_in(variables).serves);
}

TEST(Place, FollowsMpi) {
  const ProcessPlace open = place_in({{"OMPI_COMM_WORLD_RANK", "1"},
                                      {"OMPI_COMM_WORLD_SIZE", "2"},
                                      {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                      {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  EXPECT_EQ(open.rank, 1);
  EXPECT_EQ(open.master, "127.0.0.1");
  const Variables several{
      {"PMI_RANK", "1"}, {"PMI_SIZE", "4"}, {"MPI_LOCALRANKID", "1"}, {"MPI_LOCALNRANKS", "2"}};
  EXPECT_NE(message_of([&] { place_in(several); }).find("expected MASTER_ADDR or dist_init"),
            std::string::npos);
  EXPECT_EQ(place_in(several, "tcp://10.0.0.1:99").port, 99);
  EXPECT_EQ(place_in(several, "file:///shared/x").file, "/shared/x");
}

TEST(Place, RefusesWrongVariables) {
  EXPECT_NE(message_of([] {
              place_in({{"RANK", "1"}});
            }).find("expected WORLD_SIZE with RANK"),
            std::string::npos);
  EXPECT_NE(message_of([] {
              place_in({{"RANK", "x"}, {"WORLD_SIZE", "2"}});
            }).find("given 'x'"),
            std::string::npos);
  EXPECT_NE(message_of([] {
              place_in({{"RANK", "2"}, {"WORLD_SIZE", "2"}});
            }).find("2 of 2"),
            std::string::npos);
  EXPECT_NE(message_of([] {
              place_in({{"RANK", "0"}, {"WORLD_SIZE", "2"}}, "10.0.0.1");
            }).find("tcp://"),
            std::string::npos);
}

TEST(Place, ReadsTheListsOfSlurm) {
  EXPECT_EQ(first_host("a"), "a");
  EXPECT_EQ(first_host("a,b"), "a");
  EXPECT_EQ(first_host("a[7,9],b"), "a7");
  EXPECT_EQ(tasks_on_node("3", 0), 3);
  EXPECT_EQ(tasks_on_node("2(x3),1", 2), 2);
  EXPECT_EQ(tasks_on_node("2(x3),1", 3), 1);
}

}  // namespace
}  // namespace galore
