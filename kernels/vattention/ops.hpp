// The ops of the family, for tests, benchmarks and lists.
#pragma once

#include <tuple>

#include "kernels/vattention/append.hpp"
#include "kernels/vattention/decode_attention.hpp"
#include "kernels/vattention/device_granules.hpp"
#include "kernels/vattention/memory_cycle.hpp"
#include "kernels/vattention/rope_append.hpp"

namespace trisect::vattention {

using Ops = std::tuple<Append, RopeAppend, DecodeAttention, DeviceGranules, MemoryCycle>;

}  // namespace trisect::vattention
