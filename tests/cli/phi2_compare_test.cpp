// phi2 compare: both sides, what is kept of them, and what happens to one that dies.
#include <signal.h>

#include <fstream>
#include <set>

#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Phi2Compare : public Phi2Test {
 protected:
  Phi2Compare() { fs::create_directory(path("tmp")); }

  static Arguments command(const Arguments& more) {
    Arguments arguments{"compare", "--model", "synthetic:phi-mini", "--max-new-tokens", "8"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Setting setting() const { return {.environment = {{"TMPDIR", path("tmp")}}}; }
  Finished compare(const Arguments& more) const { return phi2(command(more), setting()); }

  /// The processes that the program has started.
  static std::vector<pid_t> children_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
    return {std::istream_iterator<pid_t>(file), {}};
  }

  /// Neither gone nor waiting to be collected by whoever inherited it.
  static bool alive(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("State:")) return line.find('Z') == std::string::npos;
    }
    return false;
  }
};

TEST_F(Phi2Compare, WhatIsKept) {
  const std::string text = write("t.txt", read_file(source("integration/texts/general.txt")).substr(0, 3000));
  const Finished finished = compare({"--tokenizer", phi_mini(), "--larosa-sparsity", "0.5", "--repetitions",
                                     "2", "--text", text, "--text-tokens", "600", "--out", path("results")});
  ASSERT_EQ(finished.code, 0) << finished.err;
  for (const char* word : {"baseline", "larosa", "speed-up", "prefill", "decode", "peak", "bits/char",
                           "larosa beside baseline: "}) {
    EXPECT_THAT(finished.out, HasSubstr(word));
  }
  EXPECT_TRUE(fs::is_empty(path("tmp")));

  const nlohmann::json json = read_json(path("results/compare.json"));
  EXPECT_EQ(json["schema"], "trisect/compare");
  EXPECT_EQ(json["interrupted"], false);
  EXPECT_EQ(json["prompts"].size(), 5);
  EXPECT_EQ(json["probe_gbps"].size(), 2);
  EXPECT_EQ(json["settings"]["larosa"]["sparsity_permille"], 500);
  EXPECT_EQ(json["settings"]["larosa"]["coefficient_in"], 0.8);
  EXPECT_EQ(json["settings"]["larosa"]["coefficient_out"], 1.2);
  EXPECT_NEAR(json["settings"]["larosa"]["weight_sparsity"].get<double>(), 0.967 * 0.5, 0.002);
  EXPECT_EQ(json["sides"][1]["rotation"], "random");
  EXPECT_THAT(json["sides"][1]["description"].get<std::string>(),
              HasSubstr("(0.483 of the layers' weights)"));
  const nlohmann::json &base = json["sides"][0], &optimized = json["sides"][1];
  EXPECT_EQ(base["name"], "baseline");
  EXPECT_EQ(optimized["name"], "larosa");
  EXPECT_EQ(optimized["parts"], nlohmann::json::array({"larosa"}));
  EXPECT_TRUE(base["parts"].empty());
  EXPECT_TRUE(base["quality"]["kl_nats"].is_null());
  EXPECT_GT(optimized["quality"]["kl_nats"], 0);
  EXPECT_GT(optimized["quality"]["agreement"], 0);
  for (const nlohmann::json& side : json["sides"]) {
    EXPECT_EQ(side["generations"].size(), 10);
    EXPECT_GT(side["memory"]["peak_rss_bytes"], side["memory"]["weights_bytes"]);
    EXPECT_EQ(side["quality"]["text"], "t.txt");
    EXPECT_EQ(side["quality"]["tokens"], 600);
    int steps = 0;
    for (const nlohmann::json& one : side["generations"]) {
      steps += static_cast<int>(one["token_s"].size());
      EXPECT_EQ(one["ids"].size(), one["tokens_out"]);
      EXPECT_EQ(one["tokens_in"], json["prompts"][one["prompt"].get<std::size_t>()]["tokens"]);
    }
    EXPECT_EQ(side["decode_steps"], steps);
    EXPECT_GT(side["generations"][0]["stages_s"]["in_product"], 0);
  }
  for (const nlohmann::json& side : json["sides"]) {
    EXPECT_TRUE(side["check"]["passed"]) << side["check"];
    EXPECT_EQ(side["check"]["tokens"], 6);
    EXPECT_GT(side["check"]["error"], 0) << "the plain kernels are others than those that are timed";
  }
  EXPECT_EQ(base["memory"]["rotations_bytes"], 0);
  EXPECT_GT(optimized["memory"]["rotations_bytes"], 0);
  EXPECT_EQ(base["generations"][0]["stages_s"]["select"], 0);
  EXPECT_GT(optimized["generations"][0]["stages_s"]["select"], 0);
  EXPECT_LT(optimized["weight_bytes_per_token"], base["weight_bytes_per_token"]);
  EXPECT_EQ(base["variants"].count("larosa/topk"), 0);
  EXPECT_EQ(optimized["variants"].count("larosa/topk"), 1);
}

TEST_F(Phi2Compare, SidesThatComputeTheSameAgree) {
  const Finished finished = compare({"--larosa-sparsity", "0", "--larosa-mode", "naive", "--dtype", "f32",
                                     "--repetitions", "1", "--json", path("c.json")});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const nlohmann::json json = read_json(path("c.json"));
  const nlohmann::json& agreement = json["sides"][1]["agreement"];
  EXPECT_EQ(agreement["with"], "baseline");
  EXPECT_EQ(agreement["prompts"], 1);
  EXPECT_EQ(agreement["identical"], 1);
  EXPECT_EQ(agreement["equal_id_fraction"], 1.0);
  EXPECT_EQ(agreement["mean_common_prefix"], 8.0);
  EXPECT_TRUE(json["sides"][0]["quality"].is_null());
}

TEST_F(Phi2Compare, EveryCombinationOfGivenText) {
  // One thread: eight teams in turn wait for each other more than they work.
  const Finished finished = phi2({"compare",
                                  "--threads",
                                  "1",
                                  "--larosa-sparsity",
                                  "0.5",
                                  "--kv-cache",
                                  "vattention",
                                  "--patch-tokenizer",
                                  "phi-mini-sqlite",
                                  "--decode-text",
                                  source("integration/texts/domain.txt"),
                                  "--passages",
                                  "1",
                                  "--passage-characters",
                                  "90",
                                  "--repetitions",
                                  "1",
                                  "--text-tokens",
                                  "40",
                                  "--out",
                                  path("results")},
                                 setting());
  ASSERT_EQ(finished.code, 0) << finished.err;
  const nlohmann::json json = read_json(path("results/compare.json"));
  EXPECT_EQ(json["settings"]["forced"]["text"], "domain.txt");
  EXPECT_EQ(json["settings"]["context"], 512);
  ASSERT_EQ(json["sides"].size(), 8);
  std::set<std::string> names;
  const nlohmann::json& base = json["sides"][0];
  for (const nlohmann::json& side : json["sides"]) {
    const std::string name = side["name"];
    names.insert(name);
    const auto has = [&](const char* part) { return name.find(part) != name.npos; };
    const nlohmann::json& one = side["generations"][0];
    EXPECT_EQ(one["text"], base["generations"][0]["text"]) << name << " decodes the same characters";
    EXPECT_EQ(one["tokens_out"] < base["generations"][0]["tokens_out"], has("adaptivocab")) << name;
    EXPECT_EQ(side["memory"]["kv_bytes"] < base["memory"]["kv_bytes"], has("vattention")) << name;
    EXPECT_GE(side["memory"]["kv_bytes"], side["memory"]["kv_used_bytes"]) << name;
    EXPECT_GT(side["memory"]["kv_used_bytes"], 0) << name;
    EXPECT_EQ(side["memory"]["rotations_bytes"] > 0, has("larosa")) << name;
    EXPECT_EQ(side["quality"]["perplexity"].is_null(), has("adaptivocab")) << name;
    EXPECT_EQ(side["quality"]["kl_nats"].is_null(), !has("larosa")) << name;
    EXPECT_TRUE(side["agreement"].is_null()) << name << ": ids were given";
    EXPECT_TRUE(side["check"]["passed"]) << name << side["check"];
  }
  EXPECT_EQ(names.size(), 8);
  const auto bits = [&](std::size_t side) { return json["sides"][side]["quality"]["bits_per_character"]; };
  EXPECT_EQ(bits(0), bits(2)) << "where keys and values lie changes no prediction";
}

TEST_F(Phi2Compare, GroupsTakeTurnsWithTheBaseline) {
  const Finished finished =
      compare({"--threads", "1", "--larosa-sparsity", "0.5", "--kv-cache", "paged", "--at-once", "2",
               "--repetitions", "2", "--only", "larosa,larosa+paged,paged", "--json", path("c.json")});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const nlohmann::json json = read_json(path("c.json"));
  ASSERT_EQ(json["sides"].size(), 4);
  EXPECT_EQ(json["probe_gbps"].size(), 4);
  const auto repetitions = [&](std::size_t side) {
    std::vector<int> found;
    for (const nlohmann::json& one : json["sides"][side]["generations"]) found.push_back(one["repetition"]);
    return found;
  };
  EXPECT_EQ(repetitions(0), (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(repetitions(1), (std::vector{0, 1}));
  EXPECT_EQ(repetitions(3), (std::vector{2, 3}));
}

TEST_F(Phi2Compare, OptionsThatCannotBe) {
  expect_complaint(compare({}), 2, "something to compare with");
  expect_complaint(compare({"--larosa-sparsity", "0.4", "--only", "adaptivocab"}), 2, "baseline, larosa");
  expect_complaint(compare({"--larosa-sparsity", "0.4", "--only", "baseline"}), 2, "nothing to compare");
  expect_complaint(compare({"--larosa-sparsity", "0.4", "--decode-text", write("short.txt", "too short"),
                            "--tokenizer", phi_mini()}),
                   2, "too few");
  expect_complaint(compare({"--larosa-sparsity", "0.4", "--decode-text", "x", "--prompt-tokens", "3"}), 2,
                   "--prompt-tokens");
}

TEST_F(Phi2Compare, TheReportReadsIt) {
  ASSERT_EQ(compare({"--larosa-sparsity", "0.4", "--repetitions", "2", "--out", path("results")}).code, 0);
  const Finished report = phi2({"--input", path("results"), "--output", path("report.md")},
                               {.program = TRISECT_BIN_DIR "/report"});
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_THAT(read_file(path("report.md")), HasSubstr("larosa beside the baseline"));
}

TEST_F(Phi2Compare, InterruptedKeepsCompleteRepetitions) {
  Program program(command({"--larosa-sparsity", "0.4", "--repetitions", "100000", "--json", path("c.json")}),
                  setting());
  ASSERT_TRUE(program.wait_for("repetition 2 of"));
  program.send(SIGINT);
  const Finished finished = program.finish();
  expect_complaint({finished.code, "", finished.err.substr(finished.err.find("phi2: "))}, 130, "interrupted");
  EXPECT_THAT(finished.out, HasSubstr("speed-up"));
  const nlohmann::json json = read_json(path("c.json"));
  EXPECT_EQ(json["interrupted"], true);
  EXPECT_GE(json["sides"][0]["generations"].size(), 2);
  EXPECT_FALSE(json["sides"][1]["memory"].is_null());
  EXPECT_TRUE(json["sides"][1]["quality"].is_null());
  EXPECT_TRUE(fs::is_empty(path("tmp")));
}

TEST_F(Phi2Compare, KilledItLeavesTheLastRepetition) {
  Program program(command({"--larosa-sparsity", "0.4", "--repetitions", "100000", "--json", path("c.json")}),
                  setting());
  ASSERT_TRUE(program.wait_for("repetition 2 of"));
  const std::vector<pid_t> workers = children_of(program.pid());
  ASSERT_EQ(workers.size(), 2);
  program.send(SIGKILL);
  EXPECT_EQ(program.finish().code, -SIGKILL);
  EXPECT_EQ(read_json(path("c.json"))["interrupted"], true);
  // Its workers do not outlive it.
  for (const pid_t worker : workers) {
    for (int tries = 0; tries < 200 && alive(worker); ++tries) usleep(50000);
    EXPECT_FALSE(alive(worker));
  }
}

TEST_F(Phi2Compare, ASideThatDiesIsNamed) {
  Program program(command({"--larosa-sparsity", "0.4", "--repetitions", "100000", "--json", path("c.json")}),
                  setting());
  ASSERT_TRUE(program.wait_for("repetition 1 of"));
  const std::vector<pid_t> workers = children_of(program.pid());
  ASSERT_EQ(workers.size(), 2);
  kill(workers[1], SIGKILL);
  const Finished finished = program.finish();
  expect_complaint({finished.code, "", finished.err.substr(finished.err.find("phi2: "))}, 3,
                   "the larosa process was ended by signal 9");
  EXPECT_EQ(read_json(path("c.json"))["interrupted"], true);
}

TEST_F(Phi2Compare, OutputThatCannotBeWritten) {
  expect_complaint(compare({"--larosa-sparsity", "0.4", "--json", path("no/folder/c.json")}), 3, "c.json");
  expect_complaint(compare({"--larosa-sparsity", "0.4", "--out", write("file", "")}), 3, "file");
  const Finished full = compare({"--larosa-sparsity", "0.4", "--json", "/dev/full"});
  EXPECT_EQ(full.code, 3);
  EXPECT_THAT(full.err, HasSubstr("phi2: cannot write /dev/full: No space left on device\n"));
}

TEST_F(Phi2Compare, PromptLongerThanTheContext) {
  expect_complaint(compare({"--larosa-sparsity", "0.4", "--prompt-tokens", "505"}), 2, "context of 512");
}

}  // namespace
}  // namespace trisect::test
