// LaRoSA's modes on the GPU against the same modes on the CPU.
#include "integration/phi2/engine/random_rotations.hpp"
#include "tests/integration/engine/fixture.hpp"

namespace trisect::phi2 {
namespace {

constexpr const char* kFixture = "head80_bf16";

struct Way {
  LarosaMode mode;
  RotationKind kind;
  int permille;
};

class LarosaOnDevice : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }

  /// The logits of every position: a prompt of nine tokens, then one by one, two sequences side by side.
  static Buffer run(Device device) {
    const Way way = GetParam();
    RotationInfo info;
    info.kind = way.kind;
    info.values = way.kind != RotationKind::kNone;
    info.space = way.mode == LarosaMode::kMerged ? kCentredSpace : kLayernormSpace;
    const Config config = load_config(fixture_path(kFixture) / "config.json");
    const auto rotations = random_rotations(config, info, 11);
    EngineOptions options{.slots = 2, .device = device};
    options.larosa = LarosaOptions{.mode = way.mode, .rotation = way.kind, .sparsity_permille = way.permille};
    Engine engine(load_fixture(kFixture, Dtype::kF32), options, rotations.get());

    std::vector<std::int32_t> ids(17);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      ids[i] = static_cast<std::int32_t>(random_bits(3, i) % static_cast<unsigned>(config.vocab));
    }
    Buffer logits(Dtype::kF32, 9 + 2 * 4, config.vocab);
    const int first = engine.cache().acquire(32), second = engine.cache().acquire(32);
    std::vector<std::int32_t> slot(9, first), position(9);
    for (int i = 0; i < 9; ++i) position[static_cast<std::size_t>(i)] = i;
    engine.step({std::span(ids).first(9), slot, position}, logits.view().rows_from(0, 9));
    for (std::int32_t i = 0; i < 4; ++i) {
      slot = {first, second};
      position = {9 + i, i};
      engine.step({std::span(ids).subspan(9 + 2 * static_cast<std::size_t>(i), 2), slot, position},
                  logits.view().rows_from(9 + 2 * i, 2));
    }
    return logits;
  }
};

TEST_P(LarosaOnDevice, GivesTheCpusLogits) {
  EXPECT_LT(distance(run(Device::kCuda).view(), run(Device::kCpu).view()), 1e-4);
}

std::string instance_name(const ::testing::TestParamInfo<Way>& test) {
  constexpr const char* kModes[] = {"naive", "online", "merged"};
  return fmt::format("{}_{}_{}", kModes[static_cast<std::size_t>(test.param.mode)], name_of(test.param.kind),
                     test.param.permille);
}

using enum LarosaMode;
INSTANTIATE_TEST_SUITE_P(
    Cuda, LarosaOnDevice,
    ::testing::Values(Way{kNaive, RotationKind::kRandom, 500}, Way{kOnline, RotationKind::kRandom, 0},
                      Way{kOnline, RotationKind::kRandom, 500}, Way{kOnline, RotationKind::kNone, 500},
                      Way{kMerged, RotationKind::kRandom, 0}, Way{kMerged, RotationKind::kRandom, 500}),
    instance_name);

}  // namespace
}  // namespace trisect::phi2
