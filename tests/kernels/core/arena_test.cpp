#include "kernels/core/arena.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

namespace trisect {
namespace {

struct Problem {
  View x, w, y;
};

Problem make(Arena& arena) {
  return {arena.input(Dtype::kF32, 2, 5), arena.weight(Dtype::kBf16, 3, 7, 0.1f), arena.output(Dtype::kF32, 1, 6)};
}

TEST(Arena, OutputsStartPoisonedAndAreReset) {
  Arena arena(1);
  const Problem p = make(arena);
  EXPECT_TRUE(std::isnan(p.y.row<float>()[5]));
  p.y.row<float>()[5] = 1;
  arena.reset_outputs();
  EXPECT_TRUE(std::isnan(p.y.row<float>()[5]));
}

TEST(Arena, CopiesHaveTheirOwnInputsAndWeightsAndShareOutputs) {
  Arena arena(1);
  const Problem first = make(arena);
  arena.begin_copy();
  const Problem second = make(arena);
  EXPECT_NE(first.w.data, second.w.data);
  EXPECT_NE(std::memcmp(first.w.data, second.w.data, first.w.bytes()), 0);
  EXPECT_NE(std::memcmp(first.x.data, second.x.data, first.x.bytes()), 0);
  EXPECT_EQ(first.y.data, second.y.data);
  EXPECT_EQ(arena.weight_bytes(), 42u);
  EXPECT_EQ(arena.input_bytes(), 40u);
}

TEST(Arena, AReferenceSeesTheSameOperandsAndWritesElsewhere) {
  Arena arena(1);
  make(arena);
  arena.begin_copy();
  const Problem second = make(arena);
  arena.begin_reference(1);
  const Problem reference = make(arena);
  EXPECT_EQ(reference.x.data, second.x.data);
  EXPECT_EQ(reference.w.data, second.w.data);
  EXPECT_NE(reference.y.data, second.y.data);
}

TEST(Arena, TheSameSeedGivesTheSameData) {
  Arena a(7), b(7), c(8);
  const Problem pa = make(a), pb = make(b), pc = make(c);
  EXPECT_EQ(std::memcmp(pa.x.data, pb.x.data, pa.x.bytes()), 0);
  EXPECT_NE(std::memcmp(pa.x.data, pc.x.data, pa.x.bytes()), 0);
}

TEST(Arena, SeesDamage) {
  const auto damaged = [](auto damage) {
    Arena arena(1);
    const Problem p = make(arena);
    EXPECT_EQ(arena.damage(), "");
    damage(p);
    return arena.damage();
  };
  EXPECT_EQ(damaged([](const Problem& p) { p.y.row<float>()[6] = 0; }), "wrote outside output 0");
  EXPECT_EQ(damaged([](const Problem& p) { p.y.row<float>()[-1] = 0; }), "wrote outside output 0");
  EXPECT_EQ(damaged([](const Problem& p) { p.x.row<float>()[9] += 1; }), "changed input 0");
  EXPECT_EQ(damaged([](const Problem& p) { p.w.row<bf16>(2)[6].bits ^= 1; }), "changed weight 0");
}

/// Device memory that is the host's: what the arena does with it can be seen.
class FakeMemory final : public DeviceMemory {
 public:
  ~FakeMemory() override { EXPECT_EQ(blocks, 0); }
  void* allocate(std::size_t bytes) override {
    ++blocks;
    return std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  }
  void release(void* memory) noexcept override {
    --blocks;
    std::free(memory);
  }
  void upload(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  int blocks = 0;
};

TEST(Arena, TheDeviceMirrorsACopyAndItsOutputsComeBack) {
  FakeMemory memory;
  Arena arena(1);
  make(arena);
  arena.begin_copy();
  const Problem host = make(arena);
  arena.begin_device(1, memory);
  const Problem device = make(arena);
  EXPECT_EQ(memory.blocks, 3);
  EXPECT_NE(device.x.data, host.x.data);
  EXPECT_EQ(std::memcmp(device.x.data, host.x.data, host.x.bytes()), 0);
  EXPECT_EQ(std::memcmp(device.w.data, host.w.data, host.w.bytes()), 0);
  EXPECT_TRUE(std::isnan(device.y.row<float>()[5]));
  device.y.row<float>()[5] = 2;
  arena.fetch_outputs();
  EXPECT_EQ(host.y.row<float>()[5], 2);
  arena.reset_outputs();
  EXPECT_TRUE(std::isnan(device.y.row<float>()[5]));
  EXPECT_EQ(arena.damage(), "");
  arena.begin_device(1, memory);
  EXPECT_EQ(make(arena).w.data, device.w.data);
}

TEST(Arena, SeesDamageOnTheDevice) {
  const auto damaged = [](auto damage) {
    FakeMemory memory;
    Arena arena(1);
    make(arena);
    arena.begin_device(0, memory);
    const Problem p = make(arena);
    damage(p);
    return arena.damage();
  };
  EXPECT_EQ(damaged([](const Problem& p) { p.y.row<float>()[6] = 0; }), "wrote outside output 0");
  EXPECT_EQ(damaged([](const Problem& p) { p.w.row<bf16>()[-1].bits = 0; }), "wrote outside weight 0");
  EXPECT_EQ(damaged([](const Problem& p) { p.x.row<float>()[9] += 1; }), "changed input 0");
}

TEST(Arena, SubsetsAreAscendingAndComplete) {
  Arena arena(3);
  for (const int limit : {1, 10, 500}) {
    for (const int count : {0, 1, limit / 2, limit}) {
      const View subset = arena.subset(2, count, limit);
      for (std::int64_t r = 0; r < 2 && count > 0; ++r) {
        const std::int32_t* row = subset.row<std::int32_t>(r);
        EXPECT_GE(row[0], 0);
        EXPECT_LT(row[count - 1], limit);
        for (int i = 1; i < count; ++i) ASSERT_LT(row[i - 1], row[i]);
      }
    }
  }
}

}  // namespace
}  // namespace trisect
