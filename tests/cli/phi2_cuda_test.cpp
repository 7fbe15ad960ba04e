// phi2 on a CUDA device: the same ids as on the CPU, and what is said when something is missing.
#include "kernels/core/device.hpp"
#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

TEST(Phi2WithoutCuda, SaysSoInOneLine) {
  if (why_no_cuda().empty()) GTEST_SKIP() << "there is a device";
  expect_complaint(phi2({"generate", "--device", "cuda", "--prompt", "x"}), 3,
                   kCudaBuild ? "no CUDA device" : "no CUDA kernels");
}

class Phi2Cuda : public Phi2Test {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }

  nlohmann::json generate(const Arguments& more) const {
    Arguments arguments{"generate",
                        "--model",
                        source("tests/fixtures/phi/head80_bf16"),
                        "--prompt-tokens",
                        "9",
                        "--dtype",
                        "f32",
                        "--max-new-tokens",
                        "12",
                        "--temperature",
                        "0.7",
                        "--top-p",
                        "0.9",
                        "--json",
                        path("r.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = phi2(arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return read_json(path("r.json"));
  }
};

TEST_F(Phi2Cuda, GeneratesTheCpusIds) {
  const nlohmann::json cpu = generate({"--larosa-sparsity", "0.4", "--larosa-rotation", "random"});
  EXPECT_EQ(cpu["settings"]["cuda_graph"], nullptr);
  for (const char* graph : {"on", "off"}) {
    const nlohmann::json cuda =
        generate({"--device", "cuda", "--cuda-graph", graph, "--kv-cache", "vattention", "--larosa-sparsity",
                  "0.4", "--larosa-rotation", "random"});
    EXPECT_EQ(cuda["settings"]["device"], "cuda");
    EXPECT_EQ(cuda["graph_captures"], graph == std::string("on") ? 1 : 0);
    EXPECT_EQ(cuda["variants"]["dense/sample"], "cuda_block");
    EXPECT_EQ(cuda["generations"][0]["ids"], cpu["generations"][0]["ids"]) << graph;
  }
}

/// Each side's logits are those of the CPU's plain kernels, and without LaRoSA its ids the CPU's own.
TEST_F(Phi2Cuda, ComparesCombinations) {
  const auto compare = [&](const Arguments& more) {
    Arguments arguments{"compare",
                        "--model",
                        source("tests/fixtures/phi/head80_bf16"),
                        "--prompt-tokens",
                        "9",
                        "--dtype",
                        "f32",
                        "--max-new-tokens",
                        "4",
                        "--repetitions",
                        "1",
                        "--larosa-sparsity",
                        "0.4",
                        "--larosa-rotation",
                        "random",
                        "--larosa-mode",
                        "merged",
                        "--kv-cache",
                        "vattention",
                        "--json",
                        path("c.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = phi2(arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return read_json(path("c.json"))["sides"];
  };
  const nlohmann::json cpu = compare({}), cuda = compare({"--device", "cuda"}),
                       launches = compare({"--device", "cuda", "--cuda-graph", "off", "--only", "all"});
  ASSERT_EQ(cuda.size(), 4);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(cuda[i]["check"]["passed"]) << cuda[i]["check"];
    EXPECT_THAT(cuda[i]["variants"]["dense/gemv"].get<std::string>(), ::testing::StartsWith("cuda"));
    EXPECT_EQ(cuda[i]["generations"][0]["ids"], cpu[i]["generations"][0]["ids"]) << cuda[i]["name"];
  }
  EXPECT_EQ(launches[1]["generations"][0]["ids"], cpu[3]["generations"][0]["ids"]);
  EXPECT_GT(launches[1]["generations"][0]["stages_s"]["select"], 0)
      << "operations that are launched one by one";
}

TEST_F(Phi2Cuda, WeightsThatDoNotFitAreRefusedWithBothSizes) {
  if (!cuda_facts().emulated) GTEST_SKIP() << "the memory of a device cannot be made smaller";
  const Finished finished = phi2({"generate", "--model", "synthetic:phi-mini", "--device", "cuda"},
                                 {.environment = {{"CUDAEMU_MEMORY", "16M"}, {"CUDAEMU_LEAKS", "0"}}});
  expect_complaint(finished, 3, "20.1 MB do not fit");
  EXPECT_THAT(finished.err, ::testing::HasSubstr(" MB free"));
}

/// A trained model, once.
TEST_F(Phi2Cuda, PhiMiniContinuesAsOnTheCpu) {
  if (!has_phi_mini()) GTEST_SKIP() << "phi-mini's weights are not there";
  const auto continued = [&](const char* device) {
    const Finished finished =
        phi2({"generate", "--device", device, "--dtype", "f32", "--prompt", "The SELECT statement",
              "--max-new-tokens", "4", "--json", path("r.json")});
    EXPECT_EQ(finished.code, 0) << finished.err;
    return read_json(path("r.json"))["generations"][0]["ids"];
  };
  EXPECT_EQ(continued("cuda"), continued("cpu"));
}

}  // namespace
}  // namespace trisect::test
