// vattention/append on the GPU.
#pragma once

#include "kernels/vattention/append.hpp"

namespace trisect::vattention {

std::span<const Append::Variant> append_cuda_variants();

/// Device memory, table, slots and positions included; one launch on cuda::current_stream(). Where rows go is
/// read when the kernel runs, so a captured graph appends to wherever they point when it is replayed. Results
/// are those of append_ref, bit for bit.
void append_cuda(const Append::Problem& problem, const Append::Args& args);

}  // namespace trisect::vattention
