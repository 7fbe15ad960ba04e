// The engine against Hugging Face transformers' PhiForCausalLM.
#include "kernels/dense/sampling.hpp"
#include "tests/integration/engine/fixture.hpp"

namespace trisect::phi2 {
namespace {

struct Case {
  std::string fixture;
  Dtype dtype;
  double tolerance;
  Device device = Device::kCpu;
};

class Transformers : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().device == Device::kCuda && !why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }
  static Weights load() { return load_fixture(GetParam().fixture, GetParam().dtype); }
  static EngineOptions options() { return {.device = GetParam().device}; }
};

TEST_P(Transformers, LogitsOfPrefillAndDecodeAgree) {
  const Case& c = GetParam();
  const Expected expected(c.fixture);
  Engine engine(load(), options());
  ASSERT_EQ(expected.prompts().size(), 4u);
  for (const ExpectedPrompt& prompt : expected.prompts()) {
    Sequence sequence(engine, engine.context());
    const Buffer got = prefill(engine, sequence, prompt.ids, 512);
    EXPECT_LT(distance(got.view(), prompt.prefill), c.tolerance);

    Buffer step(Dtype::kF32, 1, engine.config().vocab);
    for (std::size_t i = 0; i < prompt.greedy.size(); ++i) {
      sequence.step({&prompt.greedy[i], 1}, step.view());
      EXPECT_LT(distance(step.view(), prompt.decode.rows_from(static_cast<std::int64_t>(i), 1)), c.tolerance);
    }
  }
}

TEST_P(Transformers, GreedyIdsAreEqual) {
  const Case& c = GetParam();
  if (c.dtype != Dtype::kF32) GTEST_SKIP() << "ids are promised in f32 only";
  const Expected expected(c.fixture);
  Engine engine(load(), options());
  for (const ExpectedPrompt& prompt : expected.prompts()) {
    Sequence sequence(engine, engine.context());
    Buffer logits(Dtype::kF32, 1, engine.config().vocab);
    sequence.step(prompt.ids, logits.view());
    for (const std::int32_t want : prompt.greedy) {
      const std::int32_t got =
          dense::argmax({logits.as<float>(), static_cast<std::size_t>(logits.view().cols)});
      ASSERT_EQ(got, want);
      sequence.step({&got, 1}, logits.view());
    }
  }
}

/// One token at a time, in blocks and at once: the same logits, so the cache holds what prefill computed.
TEST_P(Transformers, StepByStepEqualsTheWhole) {
  const Case& c = GetParam();
  const Expected expected(c.fixture);
  Engine engine(load(), options());
  const auto& ids = expected.prompts().back().ids;
  Sequence whole(engine, engine.context());
  const Buffer want = prefill(engine, whole, ids, 512);
  for (const std::size_t block : {std::size_t{1}, std::size_t{7}}) {
    Engine other(load(), options());
    Sequence sequence(other, other.context());
    EXPECT_LT(distance(prefill(other, sequence, ids, block).view(), want.view()), c.tolerance)
        << "block " << block;
  }
}

/// Whatever finds the memory: the same ids.
TEST_P(Transformers, EveryKvCacheGivesTheSameIds) {
  const Case& c = GetParam();
  if (c.dtype != Dtype::kF32) GTEST_SKIP() << "ids are promised in f32 only";
  const ExpectedPrompt prompt = Expected(c.fixture).prompts().front();
  using enum vattention::KvPolicy;
  for (const auto policy : {kStatic, kGrowing, kPaged, kVattention, kTracked}) {
    EngineOptions with = options();
    with.kv_cache = policy;
    Engine engine(load(), with);
    Sequence sequence(engine, engine.context());
    Buffer logits(Dtype::kF32, 1, engine.config().vocab);
    sequence.step(prompt.ids, logits.view());
    for (const std::int32_t want : prompt.greedy) {
      const std::int32_t got =
          dense::argmax({logits.as<float>(), static_cast<std::size_t>(logits.view().cols)});
      ASSERT_EQ(got, want) << name_of(policy);
      sequence.step({&got, 1}, logits.view());
    }
  }
}

std::vector<Case> cases(Device device) {
  std::vector<Case> all;
  for (const std::string& name : kFixtures) {
    all.push_back({name, Dtype::kF32, 1e-4, device});
    all.push_back({name, Dtype::kBf16, 2e-2, device});
    all.push_back({name, Dtype::kF16, 2e-2, device});
  }
  return all;
}

std::string instance_name(const ::testing::TestParamInfo<Case>& info) {
  return info.param.fixture + "_as_" + std::string(name_of(info.param.dtype));
}
INSTANTIATE_TEST_SUITE_P(Phi, Transformers, ::testing::ValuesIn(cases(Device::kCpu)), instance_name);
INSTANTIATE_TEST_SUITE_P(Cuda, Transformers, ::testing::ValuesIn(cases(Device::kCuda)), instance_name);

}  // namespace
}  // namespace trisect::phi2
