// phi2 trace, on random weights of phi-mini's shape.
#include <set>

#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

using ::testing::HasSubstr;

constexpr char kTrace[] =
    R"({"schema": "trisect/trace", "schema_version": 1, "name": "tiny", "description": "", "requests": [
  {"arrival": 0, "prompt": 9, "output": 6}, {"arrival": 0, "prompt": 40, "output": 3}, {"arrival": 2, "prompt": 1, "output": 12},
  {"arrival": 3, "prompt": 17, "output": 1}, {"arrival": 20, "prompt": 5, "output": 5}]})";

class Phi2Trace : public Phi2Test {
 protected:
  Finished trace(const std::string& file, const Arguments& more = {}) const {
    Arguments arguments{"trace", "--model", "synthetic:phi-mini", "--trace", file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return phi2(arguments);
  }
};

TEST_F(Phi2Trace, EveryCacheServesTheSameTokens) {
  const Finished finished =
      trace(write("tiny.json", kTrace),
            {"--slots", "3", "--context", "64", "--kv-cache", "static,lazy,growing,paged,vattention,tracked",
             "--kv-parked-mb", "0", "--json", path("r.json")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("committed bytes saved"));
  const nlohmann::json json = read_json(path("r.json"));
  EXPECT_EQ(json["schema"], "trisect/trace-result");
  EXPECT_EQ(json["trace"]["requests"], 5);
  ASSERT_EQ(json["runs"].size(), 6u);
  for (const auto& run : json["runs"]) {
    EXPECT_EQ(run["requests"]["finished"], 5);
    EXPECT_EQ(run["requests"]["preemptions"], 0);
    EXPECT_EQ(run["tokens_out"], 6 + 3 + 12 + 1 + 5);
    EXPECT_GT(run["step"]["p50_s"], 0);
    for (const auto& [other, against] : run["against"].items()) EXPECT_EQ(against["same_ids"], true) << other;
    const auto& last = run["kernel_account"].back();
    EXPECT_EQ(last["committed_bytes"], last["resident_bytes"]) << run["kv_cache"];
    const std::set<std::string> returns{"growing", "paged", "vattention"};
    if (returns.count(run["kv_cache"]) == 1) {
      EXPECT_EQ(last["resident_bytes"], 0) << run["kv_cache"];
    }
  }
  EXPECT_GT(json["runs"][4]["against"]["static"]["saved_fraction"], 0.3);
  EXPECT_EQ(json["runs"][5]["against"]["static"]["saved_fraction"], 0) << "tracked saves nothing";
}

TEST_F(Phi2Trace, BudgetsMakeRequestsWaitOrRefuseThem) {
  // A token takes 7680 bytes; the second request needs 42.
  const Finished finished =
      trace(write("tiny.json", kTrace), {"--context", "64", "--kv-cache", "paged,vattention",
                                         "--kv-budget-mb", "0.26", "--json", path("r.json")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  const nlohmann::json json = read_json(path("r.json"));
  for (const auto& run : json["runs"]) {
    EXPECT_EQ(run["requests"]["refused"], 1) << run["kv_cache"];
    EXPECT_EQ(run["requests"]["finished"], 4) << run["kv_cache"];
    EXPECT_LE(run["peak"]["highest_bytes"], 260000);
  }
}

TEST_F(Phi2Trace, RefusesWhatItCannotRead) {
  expect_complaint(trace(path("none.json")), 3, "none.json");
  expect_complaint(trace(write("a.json", "{}")), 3, "not version 1 of a trisect/trace file");
  expect_complaint(
      trace(write("b.json", R"({"schema": "trisect/trace", "schema_version": 1, "requests": []})")), 3,
      "\"requests\" must be a list");
  expect_complaint(trace(write("c.json", R"({"schema": "trisect/trace", "schema_version": 1, "requests":
                   [{"arrival": 0, "prompt": 0, "output": 1}]})")),
                   3, "request 0: field \"prompt\"");
  expect_complaint(trace(write("t.json", kTrace), {"--kv-cache", "magic"}), 2, "magic");
  expect_complaint(trace(write("t.json", kTrace), {"--kv-cache", "static", "--kv-budget-mb", "0.001"}), 3,
                   "does not hold one static KV slot");
}

TEST_F(Phi2Trace, ComesWithTraces) {
  for (const char* name : {"uniform", "chat", "long", "short", "staggered"}) {
    const Finished finished = trace(source(std::string("integration/traces/") + name + ".json"),
                                    {"--requests", "2", "--kv-cache", "vattention"});
    EXPECT_EQ(finished.code, 0) << finished.err;
    EXPECT_THAT(finished.out, HasSubstr(name));
  }
}

}  // namespace
}  // namespace trisect::test
