// What this processor can do, asked once.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/core/op.hpp"

namespace trisect {

/// vdpbf16ps on 512-bit registers: pairs of bf16 products accumulated in f32.
Availability has_avx512_bf16();

/// Lets has_avx512_bf16() say no, as hwy::SetSupportedTargetsForTest hides instruction sets from Highway's kernels.
void deny_avx512_bf16_for_test(bool deny);

/// Bytes of the largest cache, from sysfs; 32 MiB where it cannot be read.
std::size_t last_level_cache_bytes();

/// "AMD EPYC ..." from /proc/cpuinfo, or "unknown".
std::string cpu_model();

}  // namespace trisect
