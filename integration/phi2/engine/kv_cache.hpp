// The seam of the KV cache: where keys and values live. The forward pass only sees strides.
#pragma once

#include <cstddef>
#include <memory>

#include "integration/phi2/engine/rows.hpp"
#include "integration/phi2/model/config.hpp"
#include "kernels/dense/attention.hpp"

namespace trisect::phi2 {

/// Bytes of address space, of memory behind it, and of live keys and values.
struct KvUsage {
  std::size_t reserved = 0, committed = 0, used = 0;
};

class KvCache {
 public:
  virtual ~KvCache() = default;

  /// A slot for a sequence of up to `max_tokens`. Throws Error(kEnvironment) when all are taken, Error(kUsage) when
  /// the sequence cannot fit.
  virtual int acquire(int max_tokens) = 0;
  virtual void release(int slot) = 0;

  /// Makes memory available for the rows about to be written. Throws Error(kUsage) for a row beyond its slot.
  virtual void prepare(const Rows& rows) = 0;

  /// Keys and values of one layer; valid until the next prepare().
  virtual dense::KvSpan layer(int index) const = 0;
  virtual KvUsage usage() const = 0;
};

/// Every slot has room for `tokens` from the start: [slot][layer][token][heads * head_dim], keys and values apart.
std::unique_ptr<KvCache> make_static_kv_cache(const Config& config, Dtype dtype, int slots, int tokens);

/// Writes the keys and values of a step's rows (f32 [rows][hidden]) to their places, rounded to the cache's type.
void append(const dense::KvSpan& kv, const Rows& rows, const View& keys, const View& values);

}  // namespace trisect::phi2
