// The memory of one op's problem under test: inputs, weights and outputs with guard bytes around them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/core/buffer.hpp"
#include "kernels/core/device.hpp"
#include "kernels/core/random.hpp"

namespace trisect {

/// What an array is filled with. kTies draws from a handful of values, zeros and both signs among them; kSpecial is
/// normal with zeros, denormals, infinities and NaN strewn in.
enum class Fill { kNormal, kUniform, kTies, kSpecial, kZero };

/// Hands out views to Op::make. The first make() creates everything; between begin_*() calls the same sequence of
/// requests is answered again, so one make() function serves the three needs of a benchmark:
///   begin_copy()          inputs and weights of its own, the same outputs: rotating through the copies keeps weights
///                         cold (beyond the last-level cache) and branch predictors guessing
///   begin_reference(i, s) the inputs and weights of copy i, outputs of their own for each set s: one set for each
///                         reference whose results must be kept side by side
///   begin_device(i, m)    device memory that mirrors copy i and the outputs under test, guard bytes included
/// Arrays are 64-byte aligned on the host, 256-byte aligned on the device, with kGuard bytes on both sides. Not
/// thread-safe.
class Arena {
 public:
  static constexpr std::size_t kGuard = 256;

  explicit Arena(Seed seed) : seed_(seed) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  View input(Dtype type, std::int64_t rows, std::int64_t cols, Fill fill = Fill::kNormal, float stddev = 1.0f);
  View weight(Dtype type, std::int64_t rows, std::int64_t cols, float stddev);
  /// Outputs start poisoned: NaN, or -1 for i32.
  View output(Dtype type, std::int64_t rows, std::int64_t cols);
  /// An output that is also read: refilled with the same values by reset_outputs().
  View inout(Dtype type, std::int64_t rows, std::int64_t cols, float stddev = 1.0f);
  /// An i32 input with values in [0, limit).
  View indices(std::int64_t rows, std::int64_t cols, int limit);
  /// An i32 input whose rows are ascending subsets of [0, limit): `cols` of them drawn at random.
  View subset(std::int64_t rows, std::int64_t cols, int limit);

  /// An i32 input [1][n] that holds these values.
  View integers(std::span<const std::int32_t> values);

  void begin_copy();
  void begin_reference(std::size_t copy, std::size_t set = 0);

  /// The memory must outlive the arena, and be the same in every call.
  void begin_device(std::size_t copy, DeviceMemory& memory);

  /// Poisons or refills the outputs under test (not those of a reference), on the host and on the device.
  void reset_outputs();
  /// Brings the outputs under test from the device to the host's views of them. Nothing without a device.
  void fetch_outputs();

  std::size_t weight_bytes() const { return weight_bytes_; }  ///< of one copy
  std::size_t input_bytes() const { return input_bytes_; }    ///< of one copy
  /// "" or what a kernel damaged: a guard byte, an input, a weight, wherever it lies.
  std::string damage() const;

 private:
  struct Block {
    Buffer buffer;
    View view;
    std::shared_ptr<std::byte> mirror;  // on the device: the whole buffer, guards included; null without a device
    Seed seed = 0;
    Fill fill = Fill::kZero;
    float stddev = 0;
    bool poisoned = false;
    std::uint64_t hash = 0;
  };
  using Blocks = std::vector<Block>;

  Block allocate(Dtype type, std::int64_t rows, std::int64_t cols);
  View answer(Block& block);
  void refill(Block& block);
  std::string damage_of(const Block& block, bool constant) const;
  template <class Generate>
  View take_input(Dtype type, std::int64_t rows, std::int64_t cols, Generate generate);
  View take_output(Dtype type, std::int64_t rows, std::int64_t cols, bool poisoned, float stddev);

  Seed seed_;
  DeviceMemory* device_ = nullptr;
  bool on_device_ = false;
  std::vector<Blocks> inputs_{1};   // by copy
  std::vector<Blocks> weights_{1};  // by copy
  std::vector<Blocks> outputs_{1};  // [0] shared by all copies, [1 + set] the references'
  std::size_t copy_ = 0, output_set_ = 0;
  std::size_t next_input_ = 0, next_weight_ = 0, next_output_ = 0;
  std::size_t weight_bytes_ = 0, input_bytes_ = 0;
};

}  // namespace trisect
