// Stable sort of places by their key, by all threads; the result does not depend on how many they are.
#pragma once

#include <omp.h>

#include <array>
#include <cstdint>
#include <vector>

namespace trisect::adaptivocab {

struct KeyedPlace {
  std::uint64_t key;
  std::uint32_t place;
};

/// By the lower `bits` of the keys, from the lowest digit on; `spare` is overwritten.
inline void radix_sort(std::vector<KeyedPlace>& places, std::vector<KeyedPlace>& spare, int bits) {
  constexpr int kDigitBits = 11;
  constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;
  using Offsets = std::array<std::size_t, kDigits>;
  spare.resize(places.size());
  std::vector<Offsets> offsets(static_cast<std::size_t>(omp_get_max_threads()));
  for (int shift = 0; shift < bits; shift += kDigitBits) {
    const auto digit = [shift](const KeyedPlace& one) { return one.key >> shift & (kDigits - 1); };
    std::size_t threads = 1;
#pragma omp parallel
    {
      const auto self = static_cast<std::size_t>(omp_get_thread_num());
#pragma omp single
      threads = static_cast<std::size_t>(omp_get_num_threads());
      const std::size_t first = places.size() * self / threads, last = places.size() * (self + 1) / threads;
      Offsets& mine = offsets[self];
      mine.fill(0);
      for (std::size_t i = first; i < last; ++i) ++mine[digit(places[i])];
#pragma omp barrier
#pragma omp single
      {
        std::size_t sum = 0;
        for (std::size_t d = 0; d < kDigits; ++d) {
          for (std::size_t t = 0; t < threads; ++t) {
            const std::size_t count = offsets[t][d];
            offsets[t][d] = sum;
            sum += count;
          }
        }
      }
      for (std::size_t i = first; i < last; ++i) spare[mine[digit(places[i])]++] = places[i];
    }
    places.swap(spare);
  }
}

}  // namespace trisect::adaptivocab
