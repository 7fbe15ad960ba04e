#include "integration/phi2/model/content_hash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace trisect::phi2 {
namespace {

TEST(ContentHash, EveryByteItsPlaceTheLengthAndTheSeedCount) {
  for (const std::size_t size : {1, 7, 8, 63, 64, 65, 128, 300}) {
    std::vector<unsigned char> data(size, 0);
    std::set<std::uint64_t> seen{hash_bytes(data.data(), size)};
    std::size_t variants = 1;
    const auto expect_new = [&](std::uint64_t hash) {
      seen.insert(hash);
      EXPECT_EQ(seen.size(), ++variants) << "size " << size;
    };
    for (std::size_t i = 0; i < size; ++i) {
      for (const unsigned char value : {std::uint8_t{1}, std::uint8_t{128}}) {
        data[i] = value;
        expect_new(hash_bytes(data.data(), size));
        data[i] = 0;
      }
    }
    expect_new(hash_bytes(data.data(), size - 1));  // zeros that are there are not zeros that are not
    expect_new(hash_bytes(data.data(), size, 1));
  }
}

TEST(ContentHash, TwoSwappedBlocksDiffer) {
  std::vector<std::uint64_t> data(64);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = i / 8;
  const std::uint64_t before = hash_bytes(data.data(), 512);
  std::swap_ranges(data.begin(), data.begin() + 8, data.begin() + 8);
  EXPECT_NE(hash_bytes(data.data(), 512), before);
}

TEST(ContentHash, IsStableAndHasSixteenDigits) {
  EXPECT_EQ(hash_name(hash_text("")).size(), 16u);
  EXPECT_EQ(hash_name(0x2a), "000000000000002a");
  EXPECT_EQ(hash_text("abc"), hash_bytes("abc", 3));
}

}  // namespace
}  // namespace trisect::phi2
