// phi2 trace, on random weights of phi-mini's shape.
#include <unistd.h>

#include <map>
#include <set>

#include "kernels/vattention/virtual_range.hpp"
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

TEST_F(Phi2Trace, ServesWithLarosa) {
  const std::string file = write("tiny.json", kTrace);
  const Arguments common{"--slots", "3", "--context", "64", "--kv-cache", "static,paged,vattention",
                         "--json"};
  const auto run = [&](const std::string& name, const Arguments& more) {
    Arguments arguments = common;
    arguments.push_back(path(name));
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = trace(file, arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return read_json(path(name));
  };
  const Arguments larosa{"--larosa-sparsity", "0.5", "--larosa-mode", "merged"};
  const nlohmann::json with = run("with.json", larosa), without = run("without.json", {});
  EXPECT_EQ(with["settings"]["larosa"]["mode"], "merged");
  EXPECT_EQ(with["settings"]["larosa"]["sparsity_permille"], 500);
  EXPECT_TRUE(without["settings"]["larosa"].is_null());
  for (const auto& each : with["runs"]) {
    EXPECT_EQ(each["tokens_out"], 6 + 3 + 12 + 1 + 5);
    for (const auto& [other, against] : each["against"].items())
      EXPECT_EQ(against["same_ids"], true) << other;
  }
  EXPECT_EQ(trace(file, {"--larosa-mode", "merged"}).code, 2) << "no sparsity";
}

/// 104 requests of 2 to 24 tokens, far more at once than there are slots.
std::string many_requests() {
  nlohmann::json json{
      {"schema", "trisect/trace"}, {"schema_version", 1}, {"name", "many"}, {"description", ""}};
  for (int i = 0; i < 104; ++i)
    json["requests"].push_back({{"arrival", i / 4}, {"prompt", 1 + i * 7 % 20}, {"output", 1 + i * 5 % 4}});
  return json.dump();
}

TEST_F(Phi2Trace, TheKernelAgreesAndGetsItsMemoryBackOnEveryGranule) {
  const std::string file = write("many.json", many_requests());
  const std::map<std::string, std::size_t> granules{{"small", static_cast<std::size_t>(getpagesize())},
                                                    {"huge", std::size_t{2} << 20}};
  for (const auto& [granule, granule_bytes] : granules) {
    if (granule == "huge" && !vattention::has_huge_pages()) continue;
    for (const std::size_t parked : {std::size_t{0}, 2 * granule_bytes}) {
      const Finished finished =
          trace(file, {"--threads", "1", "--slots", "6", "--context", "64", "--kv-cache", "vattention,paged",
                       "--kv-granule", granule, "--kv-parked-mb",
                       fmt::format("{:.6f}", static_cast<double>(parked) / 1e6), "--json", path("r.json")});
      EXPECT_EQ(finished.code, 0) << finished.err;
      const nlohmann::json json = read_json(path("r.json"));
      EXPECT_EQ(json["settings"]["granule_bytes"], granule_bytes);
      for (const auto& run : json["runs"]) {
        SCOPED_TRACE(granule + " " + run["kv_cache"].get<std::string>());
        EXPECT_EQ(run["requests"]["finished"], 104);
        ASSERT_GE(run["kernel_account"].size(), 3u);
        std::size_t most = 0;
        for (const auto& one : run["kernel_account"]) {
          const double committed = one["committed_bytes"], resident = one["resident_bytes"];
          EXPECT_NEAR(resident, committed, 0.01 * committed);
          most = std::max<std::size_t>(most, one["committed_bytes"]);
        }
        EXPECT_GE(most, 2 * granule_bytes) << "there was something to give back";
        EXPECT_EQ(run["kernel_account"].back()["committed_bytes"], parked);
        EXPECT_EQ(run["kernel_account"].back()["resident_bytes"], parked);
      }
    }
  }
}

TEST_F(Phi2Trace, DecodingTakesNoFaultsForTheCache) {
  const Finished finished = trace(write("tiny.json", R"({"schema": "trisect/trace", "schema_version": 1,
      "requests": [{"arrival": 0, "prompt": 9, "output": 90}, {"arrival": 0, "prompt": 3, "output": 90}]})"),
                                  {"--threads", "1", "--slots", "2", "--context", "128", "--kv-cache",
                                   "static,lazy,vattention", "--json", path("r.json")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  const nlohmann::json json = read_json(path("r.json"));
  std::map<std::string, int> faults;
  for (const auto& run : json["runs"]) {
    EXPECT_EQ(run["steady"]["steps"], 87);
    faults[run["kv_cache"]] = run["steady"]["page_faults"];
  }
  ASSERT_EQ(faults.size(), 3u);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // whose own memory faults
  // Two sequences of 90 tokens of 7680 bytes: 337 pages.
  EXPECT_GT(faults["lazy"], 200) << "untouched memory comes by faults, so they are counted";
  EXPECT_LE(faults["static"], 20);
  EXPECT_LE(faults["vattention"], faults["static"] + 60) << "a late worker may leave a commit to the step";
#endif
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

/// On a GPU, or an emulated one: --device cuda beside the CPU, in f32, so that the ids must be the same.
class Phi2TraceCuda : public Phi2Trace {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }
  /// On a model with vocabulary 257, hidden size 64 and 3 layers: a token takes 1536 bytes.
  Finished serve(const std::string& device, const std::string& caches, const Arguments& more = {}) const {
    Arguments arguments{"trace",
                        "--model",
                        source("tests/fixtures/phi/head32_f32"),
                        "--dtype",
                        "f32",
                        "--device",
                        device,
                        "--trace",
                        write("tiny.json", kTrace),
                        "--kv-cache",
                        caches,
                        "--slots",
                        "3",
                        "--context",
                        "64",
                        "--json",
                        path(device + ".json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return phi2(arguments);
  }
};

TEST_F(Phi2TraceCuda, ServesTheCpusTokensOnEveryCacheAndTheDriverAgrees) {
  const Finished here = serve("cpu", "static");
  EXPECT_EQ(here.code, 0) << here.err;
  const Finished there = serve("cuda", "static,growing,paged,vattention", {"--kv-parked-mb", "5"});
  EXPECT_EQ(there.code, 0) << there.err;
  const nlohmann::json cpu = read_json(path("cpu.json")), cuda = read_json(path("cuda.json"));
  EXPECT_EQ(cuda["settings"]["device"], "cuda");
  EXPECT_EQ(cuda["settings"]["granule_bytes"],
            vattention::bytes_of(vattention::Granule::kSmall, Device::kCuda));
  EXPECT_FALSE(cpu["runs"][0].contains("returned"));
  ASSERT_EQ(cuda["runs"].size(), 4u);
  for (const auto& run : cuda["runs"]) {
    SCOPED_TRACE(run["kv_cache"]);
    EXPECT_EQ(run["requests"]["finished"], 5);
    EXPECT_EQ(run["ids_hash"], cpu["runs"][0]["ids_hash"]);
    std::size_t most = 0;
    for (const auto& one : run["kernel_account"]) {
      EXPECT_EQ(one["resident_bytes"], one["committed_bytes"]);
      most = std::max<std::size_t>(most, one["committed_bytes"]);
    }
    EXPECT_GT(most, 0u);
    const std::size_t left = run["kernel_account"].back()["committed_bytes"];
    EXPECT_EQ(run["returned"]["committed_bytes"], left);
    EXPECT_GE(run["returned"]["freed_bytes"], left) << "to the driver, which counts a block table too";
    EXPECT_LE(run["returned"]["freed_bytes"], left + (2u << 20));
    if (run["kv_cache"] != "static") {
      EXPECT_LE(left, 5000000u);
    }
  }
}

TEST_F(Phi2TraceCuda, KeepsTheBudget) {
  // Two granules, of 2 MiB each: one sequence at a time with vattention, all three with paged.
  const Finished finished = serve("cuda", "paged,vattention", {"--kv-budget-mb", "4.2"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  for (const auto& run : read_json(path("cuda.json"))["runs"]) {
    EXPECT_EQ(run["requests"]["finished"], 5) << run["kv_cache"];
    EXPECT_LE(run["peak"]["highest_bytes"], 4200000) << run["kv_cache"];
  }
  expect_complaint(serve("cuda", "lazy"), 2, "lazy");
}

}  // namespace
}  // namespace trisect::test
