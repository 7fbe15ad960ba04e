// Peak memory while loading: a model several times larger than anything else in the process, in a process of
// its own.
#include <cstdio>

#include "integration/phi2/model/safetensors.hpp"
#include "tests/integration/model/scratch.hpp"
#include "tests/integration/model/tiny_model.hpp"

namespace trisect::phi2 {
namespace {

class LoadPeakTest : public Scratch {};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

TEST_F(LoadPeakTest, StaysUnder1Point1TimesTheWeights) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
  // 300 MB of f32 on disk, 150 MB of bf16 in memory; each of the two largest tensors is 100 MB.
  const Config config = tiny_config(2, 1024, 16, 4096, 24576);
  const Buffer values(Dtype::kF32, 1, std::int64_t{24576} * 1024);
  std::vector<NamedTensor> tensors;
  for (const auto& [name, tensor] : TinyModel(tiny_config()).tensors) {
    // The small model's shapes, read as words: 24 is hidden, 70 intermediate, 67 the vocabulary.
    std::vector<std::int64_t> shape;
    std::int64_t count = 1;
    for (const std::int64_t size : tensor.shape) {
      shape.push_back(size == 24 ? config.hidden : size == 70 ? config.intermediate : config.vocab);
      count *= shape.back();
    }
    tensors.push_back({name, values.view().columns(0, count), shape});
  }
  write_safetensors(path("model.safetensors"), tensors);
  TinyModel tiny(tiny_config());
  tiny.config = config;
  write("config.json", tiny.config_json());

  const std::string command = std::string(TRISECT_BIN_DIR) + "/test_model_load_peak " + directory_.string();
  FILE* program = popen(command.c_str(), "r");
  ASSERT_NE(program, nullptr);
  double weights = 0, before = 0, peak = 0, seconds = 0;
  EXPECT_EQ(std::fscanf(program, "%lf %lf %lf %lf", &weights, &before, &peak, &seconds), 4);
  EXPECT_EQ(pclose(program), 0);
  EXPECT_GT(weights, 140e6);
  EXPECT_GT(peak, weights) << "the whole model is resident";
  EXPECT_LT(peak, 1.1 * weights + before);
  RecordProperty("peak_permille_of_weights", static_cast<int>(1000 * (peak - before) / weights));
}

}  // namespace
}  // namespace trisect::phi2
