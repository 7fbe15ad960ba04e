// The seam of the KV cache. Policies and their interface are kernels/vattention's; the forward pass prepares,
// appends and reads, and sees strides only.
#pragma once

#include "integration/phi2/model/config.hpp"
#include "kernels/vattention/kv_cache.hpp"

namespace trisect::phi2 {

/// For a model's keys and values, kept as `dtype`: up to `slots` sequences of up to `tokens`.
inline vattention::KvOptions kv_options(const Config& config, Dtype dtype, int slots, int tokens,
                                        Device device = Device::kCpu) {
  return {
      .shape = {.layers = config.layers, .heads = config.heads, .head_dim = config.head_dim, .dtype = dtype},
      .device = device,
      .slots = slots,
      .tokens = tokens};
}

}  // namespace trisect::phi2
