#include "integration/phi2/model/content_hash.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "kernels/core/random.hpp"

namespace trisect::phi2 {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kBlock = kLanes * sizeof(std::uint64_t);
static_assert(std::endian::native == std::endian::little,
              "the words of a hash, like tensors, are little-endian");

struct Lanes {
  std::uint64_t value[kLanes];

  void take(const std::byte* block) {
    for (std::size_t i = 0; i < kLanes; ++i) {
      std::uint64_t word;
      std::memcpy(&word, block + i * sizeof word, sizeof word);
      // An odd factor carries a difference upwards, the rotation brings it back down.
      value[i] = std::rotl((value[i] ^ word) * 0x9e3779b97f4a7c15u, 29);
    }
  }
};

}  // namespace

std::uint64_t hash_bytes(const void* data, std::size_t bytes, std::uint64_t seed) {
  Lanes lanes;
  for (std::size_t i = 0; i < kLanes; ++i) lanes.value[i] = random_bits(seed, i);
  const auto* begin = static_cast<const std::byte*>(data);
  std::size_t at = 0;
  for (; at + kBlock <= bytes; at += kBlock) lanes.take(begin + at);
  if (at < bytes) {
    std::byte rest[kBlock] = {};
    std::memcpy(rest, begin + at, bytes - at);
    lanes.take(rest);
  }
  std::uint64_t hash = random_bits(seed, bytes);  // the length tells padding from zeros
  for (const std::uint64_t lane : lanes.value) hash = random_bits(hash ^ lane, 0);
  return hash;
}

std::string hash_name(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

}  // namespace trisect::phi2
