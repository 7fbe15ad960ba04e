// vattention/decode_attention on the GPU.
#pragma once

#include "kernels/vattention/decode_attention.hpp"

namespace trisect::vattention {

/// `paged_reference` judges the paged variant, on the host.
std::span<const DecodeAttention::Variant> decode_attention_cuda_variants(
    DecodeAttention::Variant::Fn* paged_reference);

/// dense/attention for rows that each bring one token, as it is in decoding (others are computed one by one).
/// Everything is device memory, table, slots and positions included; queued on cuda::current_stream(), two
/// launches where problem.context exceeds 128, else one. Lengths are read when the kernels run: a captured
/// graph may be replayed while sequences grow, up to problem.context keys; a longer row becomes NaN.
///
/// Heads of 64 and 80 are read 16 bytes at a time where base and strides allow it; others, of up to 256
/// elements, one by one. The sequence is split at fixed blocks of 128 keys and merged in their order, so a
/// row's bits depend neither on the other rows, nor on the device, nor on where its tokens lie.
void decode_attention_cuda(const dense::Attention::Problem& problem, const dense::Attention::Args& args);

/// The largest head.
inline constexpr int kLargestCudaHead = 256;

}  // namespace trisect::vattention
