// Attention of one query a row over many keys, split over the sequence (after Dao, Haziza, Massa, Sizov,
// "Flash-Decoding", 2023): a row alone has too few heads to keep a GPU's memory busy.
//
// Idea: the limit is reading K and V once. A head's row is a few 16-byte loads: 10 lanes for 80 elements of
// 16 bits, 8 for 64; a warp works on as many heads side by side as fit (3 and 4), which lie side by side in
// memory too. It holds their part of the query in registers, reads the keys and the values of eight tokens
// before it uses the first (8 KB in flight a warp), adds each score up over the head's lanes with shuffles,
// and keeps a running maximum, sum and weighted mean of values. Everything is f32.
//   split   a block has 128 keys of one row and one group of heads; its four warps have 32 keys each, whose
//           places are looked up once, a lane each. They are merged in shared memory.
//   merge   adds up a row's blocks in their order. Rows of one block are finished by the split itself.
//
// Launch: split 128 threads, grid (groups of heads, blocks of keys of the longest row, rows); blocks beyond a
// row's end return at once. Merge 256 threads, grid (heads x elements / 256, rows). Shared memory: split
// 5.6 KB for 16 bits, 3.6 KB for f32, both at head sizes 64 and 80; merge none.
#include <cmath>

#include "kernels/core/cuda/error.hpp"
#include "kernels/core/cuda/stream.hpp"
#include "kernels/vattention/decode_attention_cuda.hpp"
#include "kernels/vattention/decode_attention_warp.cuh"

namespace trisect::vattention {
namespace {

constexpr int kMergeThreads = 256;
/// 128 registers a thread, which hold eight rows of keys and of values without spilling; 16 warps of them are
/// 120 KB in flight on an SM. Left alone, the compiler widens bf16 early and takes 200.
constexpr int kBlocksPerSm = 4;

template <class L, bool kIsPaged>
__global__ void __launch_bounds__(kThreads, kBlocksPerSm) decode_attention_split_kernel(Query a) {
  // Lanes write side by side; an element lies so far from the next that reading them in order meets no bank
  // twice.
  __shared__ float sums[kWarps][L::kElements][32 + (L::kIsExact ? 32 / L::kVector : 1)];
  __shared__ float2 state[kWarps][32];
  const int row = static_cast<int>(blockIdx.z), block = static_cast<int>(blockIdx.y);
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int keys = a.position[row] + 1, n = a.head_dim;
  const int first = block * kBlockKeys + warp * kKeysOfWarp;
  if (block * kBlockKeys >= keys || (keys > a.context && block > 0)) return;

  const int first_head = static_cast<int>(blockIdx.x) * L::kHeads, head = first_head + lane / L::kLanes;
  const bool is_active = lane / L::kLanes < L::kHeads && head < a.heads;
  Running<L> run;
  if (first < keys)
    attend<L, kIsPaged>(a, row, first, min(kKeysOfWarp, keys - first), is_active, head, lane % L::kLanes,
                        run);
#pragma unroll
  for (int e = 0; e < L::kElements; ++e) sums[warp][e][lane] = run.sums[e];
  state[warp][lane] = make_float2(run.largest, run.total);
  __syncthreads();

  const int heads_here = min(L::kHeads, a.heads - first_head);
  const bool is_whole = keys <= kBlockKeys;
  for (int i = static_cast<int>(threadIdx.x); i < heads_here * n; i += kThreads) {
    const int which = i / n, within = i % n;  // of the heads, and of its elements
    const int item = within / (L::kLanes * L::kVector);
    const int owner = which * L::kLanes + within / L::kVector % L::kLanes;
    const int element = item * L::kVector + within % L::kVector;
    float largest = state[0][owner].x;
#pragma unroll
    for (int w = 1; w < kWarps; ++w) largest = fmaxf(largest, state[w][owner].x);
    float sum = 0, total = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const float share = exp2f(state[w][owner].x - largest);
      sum = fmaf(share, sums[w][element][owner], sum);
      total = fmaf(share, state[w][owner].y, total);
    }
    if (keys > a.context) {
      a.out[row * a.out_stride + first_head * n + i] = NAN;
    } else if (is_whole) {
      a.out[row * a.out_stride + first_head * n + i] = sum / total;
    } else {
      const std::int64_t place = a.place(row, block, first_head + which);
      a.sums[place * n + within] = sum;
      if (within == 0) a.state[place] = make_float2(largest, total);
    }
  }
}

__global__ void __launch_bounds__(kMergeThreads) decode_attention_merge_kernel(Query a) {
  const int row = static_cast<int>(blockIdx.y), n = a.head_dim;
  const int i = static_cast<int>(blockIdx.x * kMergeThreads + threadIdx.x), head = i / n;
  const int keys = a.position[row] + 1, blocks = (keys + kBlockKeys - 1) / kBlockKeys;
  if (head >= a.heads || blocks == 1 || keys > a.context) return;  // done by the split
  float largest = -INFINITY;
  for (int b = 0; b < blocks; ++b) largest = fmaxf(largest, a.state[a.place(row, b, head)].x);
  float sum = 0, total = 0;
#pragma unroll 4
  for (int b = 0; b < blocks; ++b) {
    const std::int64_t place = a.place(row, b, head);
    const float share = exp2f(a.state[place].x - largest);
    sum = fmaf(share, a.sums[place * n + i % n], sum);
    total = fmaf(share, a.state[place].y, total);
  }
  a.out[row * a.out_stride + i] = sum / total;
}

unsigned ceil_of(int a, int b) { return static_cast<unsigned>((a + b - 1) / b); }

template <class L>
void split(const Query& a, int rows) {
  const dim3 grid(ceil_of(a.heads, L::kHeads), ceil_of(a.context, kBlockKeys), static_cast<unsigned>(rows));
  const cudaStream_t stream = cuda::current_stream().get();
  a.kv.table != nullptr ? decode_attention_split_kernel<L, true><<<grid, kThreads, 0, stream>>>(a)
                        : decode_attention_split_kernel<L, false><<<grid, kThreads, 0, stream>>>(a);
  TRISECT_CUDA_LAUNCHED(decode_attention_split_kernel);
}

template <class T>
void split_as(const Query& a, bool is_wide, int rows) {
  constexpr int kVector = 16 / static_cast<int>(sizeof(T));
  if (is_wide && a.head_dim == 80) return split<Layout<T, kVector, 80 / kVector, 1>>(a, rows);
  if (is_wide && a.head_dim == 64) return split<Layout<T, kVector, 64 / kVector, 1>>(a, rows);
  if (a.head_dim <= 64) return split<Layout<T, 1, 32, 2>>(a, rows);
  if (a.head_dim <= kLargestCudaHead) return split<Layout<T, 1, 32, kLargestCudaHead / 32>>(a, rows);
  usage_error("decode_attention_cuda takes heads of at most {} elements, not {}", kLargestCudaHead,
              a.head_dim);
}

}  // namespace

void decode_attention_cuda(const dense::Attention::Problem& p, const dense::Attention::Args& args) {
  const int rows = static_cast<int>(args.q.rows);
  if (rows == 0 || p.heads == 0) return;
  const std::size_t places =
      static_cast<std::size_t>(rows) * ceil_of(p.context, kBlockKeys) * static_cast<std::size_t>(p.heads);
  Query a{.q = args.q.row<float>(),
          .q_stride = args.q.stride,
          .out = args.out.row<float>(),
          .out_stride = args.out.stride,
          .slot = args.slot.row<std::int32_t>(),
          .position = args.position.row<std::int32_t>(),
          .kv = args.kv,
          .heads = p.heads,
          .head_dim = p.head_dim,
          .context = p.context,
          .scale = static_cast<float>(1.4426950408889634 / std::sqrt(p.head_dim)),
          .sums = nullptr,
          .state = nullptr};
  const bool merges = p.context > kBlockKeys;
  if (merges) {
    std::byte* const scratch = cuda::current_stream().scratch(
        places * (sizeof(float2) + sizeof(float) * static_cast<std::size_t>(p.head_dim)));
    a.state = reinterpret_cast<float2*>(scratch);
    a.sums = reinterpret_cast<float*>(scratch + places * sizeof(float2));
  }
  const bool is_wide = is_aligned(args.kv, 16) && is_aligned(args.q, 16);
  switch (args.kv.dtype) {
    case Dtype::kF32:
      split_as<float>(a, is_wide, rows);
      break;
    case Dtype::kBf16:
      split_as<bf16>(a, is_wide, rows);
      break;
    case Dtype::kF16:
      split_as<f16>(a, is_wide, rows);
      break;
    case Dtype::kI32:
      usage_error("keys and values of i32");
  }
  if (!merges) return;
  const dim3 grid(ceil_of(p.heads * p.head_dim, kMergeThreads), static_cast<unsigned>(rows));
  decode_attention_merge_kernel<<<grid, kMergeThreads, 0, cuda::current_stream().get()>>>(a);
  TRISECT_CUDA_LAUNCHED(decode_attention_merge_kernel);
}

namespace {

template <dense::KvSpan DecodeAttention::Args::*kWhere>
void run(const DecodeAttention::Problem& p, const DecodeAttention::Args& args) {
  decode_attention_cuda({p.batch, p.batch, p.context, p.heads, p.head_dim, p.dtype},
                        {args.q, args.slot, args.position, args.out, args.*kWhere});
}

Availability has_small_heads(const DecodeAttention::Problem& p) {
  if (p.head_dim > kLargestCudaHead)
    return {fmt::format("takes heads of at most {} elements", kLargestCudaHead)};
  return on_cuda(p);
}

}  // namespace

std::span<const DecodeAttention::Variant> decode_attention_cuda_variants(
    DecodeAttention::Variant::Fn* paged_reference) {
  static const DecodeAttention::Variant table[] = {
      {.name = "cuda_paged",
       .device = Device::kCuda,
       .available = has_small_heads,
       .run = run<&DecodeAttention::Args::paged>,
       .ref = paged_reference},
      {.name = "cuda_contiguous",
       .device = Device::kCuda,
       .available = has_small_heads,
       .run = run<&DecodeAttention::Args::contiguous>},
  };
  return table;
}

}  // namespace trisect::vattention
