// Different keys and how often each occurs: by sorting them, or in a hash table.
//
// Launch: 256 threads, a place or a slot each. No shared memory.
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include <algorithm>
#include <bit>
#include <cub/device/device_merge.cuh>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_run_length_encode.cuh>
#include <cub/device/device_select.cuh>
#include <cuda/std/functional>
#include <utility>

#include "kernels/adaptivocab/ngram_key.cuh"
#include "kernels/core/device.hpp"

namespace trisect::adaptivocab {
namespace {

using cuda::DeviceBuffer;
using Key = std::uint64_t;

constexpr Key kEmpty = ~Key{0};  // of more bits than any key

std::size_t bytes_of(std::size_t each, std::int64_t count) { return each * static_cast<std::size_t>(count); }

__global__ void __launch_bounds__(kNgramThreads)
    ngram_keys_kernel(NgramKeys keys, Key none, std::int64_t first, std::int64_t count, Key* to) {
  const std::int64_t i = ngram_item();
  if (i < count) to[i] = key_at(keys, first + i, none);
}

__global__ void __launch_bounds__(kNgramThreads)
    ngram_insert_kernel(NgramKeys keys, Key none, Key* slots, std::int32_t* counts, Key mask) {
  const std::int64_t i = ngram_item();
  if (i >= keys.places) return;
  const Key key = key_at(keys, i, none);
  if (key == none) return;
  // Multiplied and folded, as in splitmix64: neighbours of a key lie far apart.
  Key slot = (key ^ key >> 31) * 0x9e3779b97f4a7c15u;
  for (slot ^= slot >> 32;; ++slot) {
    unsigned long long* const at = reinterpret_cast<unsigned long long*>(slots + (slot & mask));
    const Key found = atomicCAS(at, kEmpty, key);
    if (found == kEmpty || found == key) break;
  }
  atomicAdd(counts + (slot & mask), 1);
}

struct OftenEnough {
  const Key* keys;
  const std::int32_t* counts;
  Key none;
  std::int32_t min_count;
  __device__ bool operator()(std::int64_t i) const { return counts[i] >= min_count && keys[i] != none; }
};

/// How many items a function of CUB's, queued with where to write that, has left.
class Count {
 public:
  std::int64_t* where() const { return memory_.as<std::int64_t>(); }
  std::int64_t get() const {
    std::int64_t count = 0;
    cuda_memory().download(&count, where(), sizeof count);
    return count;
  }

 private:
  DeviceBuffer memory_{sizeof(std::int64_t)};
};

/// The runs that occur often enough, in the order they have.
NgramRuns frequent(const NgramRuns& all, Key none, int min_count) {
  const cudaStream_t stream = cuda::current_stream().get();
  const auto flags = thrust::make_transform_iterator(
      thrust::make_counting_iterator(std::int64_t{0}),
      OftenEnough{all.keys.as<Key>(), all.counts.as<std::int32_t>(), none, min_count});
  // Of n places at most n / min_count can be frequent, but of `all` no more is known than its size.
  NgramRuns some{DeviceBuffer(all.keys.bytes()), DeviceBuffer(all.counts.bytes())};
  const Count count;
  with_memory([&](void* memory, std::size_t& bytes) {
    return cub::DeviceSelect::Flagged(memory, bytes, all.keys.as<Key>(), flags, some.keys.as<Key>(),
                                      count.where(), all.size, stream);
  });
  with_memory([&](void* memory, std::size_t& bytes) {
    return cub::DeviceSelect::Flagged(memory, bytes, all.counts.as<std::int32_t>(), flags,
                                      some.counts.as<std::int32_t>(), count.where(), all.size, stream);
  });
  some.size = count.get();
  return some;
}

/// The runs of the places from `first` on.
NgramRuns runs_of_chunk(const NgramKeys& keys, std::int64_t first, std::int64_t count) {
  const cudaStream_t stream = cuda::current_stream().get();
  DeviceBuffer one(bytes_of(sizeof(Key), count)), two(one.bytes());
  cub::DoubleBuffer<Key> sorted(one.as<Key>(), two.as<Key>());
  ngram_keys_kernel<<<blocks_for(count), kNgramThreads, 0, stream>>>(keys, keys.none(), first, count,
                                                                     sorted.Current());
  TRISECT_CUDA_LAUNCHED(ngram_keys_kernel);
  with_memory([&](void* memory, std::size_t& bytes) {
    return cub::DeviceRadixSort::SortKeys(memory, bytes, sorted, count, 0, keys.bits, stream);
  });
  NgramRuns runs{{}, DeviceBuffer(bytes_of(sizeof(std::int32_t), count))};
  const Count found;
  with_memory([&](void* memory, std::size_t& bytes) {
    return cub::DeviceRunLengthEncode::Encode(memory, bytes, sorted.Current(), sorted.Alternate(),
                                              runs.counts.as<std::int32_t>(), found.where(),
                                              static_cast<int>(count), stream);
  });
  runs.keys = std::move(sorted.Alternate() == one.as<Key>() ? one : two);
  runs.size = found.get();
  return runs;
}

/// The runs of both.
NgramRuns merged(NgramRuns a, NgramRuns b) {
  if (a.size == 0) return b;
  const cudaStream_t stream = cuda::current_stream().get();
  const std::int64_t size = a.size + b.size;
  const auto room = [&] {
    return NgramRuns{DeviceBuffer(bytes_of(sizeof(Key), size)),
                     DeviceBuffer(bytes_of(sizeof(std::int32_t), size))};
  };
  const NgramRuns both = room();
  with_memory([&](void* memory, std::size_t& bytes) {
    return cub::DeviceMerge::MergePairs(memory, bytes, a.keys.as<Key>(), a.counts.as<std::int32_t>(), a.size,
                                        b.keys.as<Key>(), b.counts.as<std::int32_t>(), b.size,
                                        both.keys.as<Key>(), both.counts.as<std::int32_t>(),
                                        ::cuda::std::less<>{}, stream);
  });
  a = {}, b = {};
  NgramRuns sums = room();
  const Count found;
  with_memory([&](void* memory, std::size_t& bytes) {
    return cub::DeviceReduce::ReduceByKey(memory, bytes, both.keys.as<Key>(), sums.keys.as<Key>(),
                                          both.counts.as<std::int32_t>(), sums.counts.as<std::int32_t>(),
                                          found.where(), ::cuda::std::plus<>{}, size, stream);
  });
  sums.size = found.get();
  return sums;
}

}  // namespace

NgramRuns runs_by_sort(const NgramKeys& keys, int min_count, std::int64_t chunk) {
  NgramRuns all;
  for (std::int64_t first = 0; first < keys.places; first += chunk) {
    all = merged(std::move(all), runs_of_chunk(keys, first, std::min(chunk, keys.places - first)));
  }
  return frequent(all, keys.none(), min_count);
}

NgramRuns runs_by_hash(const NgramKeys& keys, int min_count) {
  const cudaStream_t stream = cuda::current_stream().get();
  const auto slots = static_cast<std::int64_t>(std::bit_ceil(2 * static_cast<Key>(keys.places)));
  NgramRuns table{DeviceBuffer(bytes_of(sizeof(Key), slots)),
                  DeviceBuffer(bytes_of(sizeof(std::int32_t), slots)), slots};
  TRISECT_CUDA_CALL(cudaMemsetAsync(table.keys.data(), 0xff, table.keys.bytes(), stream));
  TRISECT_CUDA_CALL(cudaMemsetAsync(table.counts.data(), 0, table.counts.bytes(), stream));
  ngram_insert_kernel<<<blocks_for(keys.places), kNgramThreads, 0, stream>>>(
      keys, keys.none(), table.keys.as<Key>(), table.counts.as<std::int32_t>(), static_cast<Key>(slots) - 1);
  TRISECT_CUDA_LAUNCHED(ngram_insert_kernel);
  const NgramRuns some = frequent(table, kEmpty, min_count);
  table = {};
  NgramRuns sorted{DeviceBuffer(bytes_of(sizeof(Key), some.size)),
                   DeviceBuffer(bytes_of(sizeof(std::int32_t), some.size)), some.size};
  if (some.size == 0) return sorted;
  with_memory([&](void* memory, std::size_t& bytes) {
    return cub::DeviceRadixSort::SortPairs(memory, bytes, some.keys.as<Key>(), sorted.keys.as<Key>(),
                                           some.counts.as<std::int32_t>(), sorted.counts.as<std::int32_t>(),
                                           some.size, 0, keys.bits, stream);
  });
  return sorted;
}

}  // namespace trisect::adaptivocab
