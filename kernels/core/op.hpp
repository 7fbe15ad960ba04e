// The op contract. An op is one struct; templates over it make its tests, its benchmarks and the lists of the
// command line, so adding a variant is one function and one row of variants().
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/arena.hpp"
#include "kernels/core/check.hpp"
#include "kernels/core/device.hpp"
#include "kernels/core/error.hpp"

namespace trisect {

/// Whether a variant can run a problem on this machine; `why_not` is empty when it can.
struct Availability {
  std::string why_not;
  explicit operator bool() const { return why_not.empty(); }
};
template <class Problem>
Availability always(const Problem&) {
  return {};
}

template <class Problem>
Availability on_cuda(const Problem&) {
  return {why_no_cuda()};
}

/// What one call must move and compute at the least, each operand counted once.
struct Cost {
  double bytes_read = 0;
  double bytes_written = 0;
  double flops = 0;
};

/// One way to compute an op. Fn is void(const Problem&, const Args&). On Device::kCuda the views of Args are
/// device memory, and the call returns when its work is queued on cuda::current_stream().
template <class Problem, class Args>
struct VariantOf {
  using Fn = void(const Problem&, const Args&);
  std::string_view name;
  Device device = Device::kCpu;
  Availability (*available)(const Problem&) = always<Problem>;
  Fn* run = nullptr;
  /// What this variant must agree with; null means the table's first row. Only variants that compute another
  /// function of the same arguments name their own (the modes of larosa/layer).
  Fn* ref = nullptr;
  /// Work done once per set of weights and kept out of the timing (a packed copy, a compiled primitive); its
  /// result is handed to run() in args.prepared. Null for most.
  std::shared_ptr<void> (*prepare)(const Problem&, const Args&) = nullptr;
};

/// A table: the rows of the CPU, then those of the GPU.
template <class Variant>
std::vector<Variant> joined(std::span<const Variant> cpu, std::span<const Variant> cuda) {
  std::vector<Variant> all(cpu.begin(), cpu.end());
  all.insert(all.end(), cuda.begin(), cuda.end());
  return all;
}

/// An integer parameter of a problem: its name in benchmark names, shape files and JSON.
template <class Problem>
struct Field {
  std::string_view name;
  int Problem::*member;
};

/// Every op models this.
///   name             "<family>/<op>", lower case
///   Problem          integers listed by `fields` and, unless the op has one type only, `Dtype dtype`
///   Args             views of one call; inputs, weights and outputs come from the arena
///   make             builds Args: inputs and weights from the arena's seed, outputs poisoned
///   cost             bytes and operations of one call
///   check            compares the outputs of two Args
///   odd_problems     small awkward shapes for the tests: ties, ones, no multiple of anything
///   variants         [0] is the reference, then from the plain to the fastest; those of the GPU,
///                    where the build has them, behind those of the CPU
template <class Op>
concept OpContract = requires(const typename Op::Problem& problem, const typename Op::Args& args,
                              Arena& arena) {
  { Op::name } -> std::convertible_to<std::string_view>;
  { Op::make(problem, arena) } -> std::same_as<typename Op::Args>;
  { Op::cost(problem) } -> std::same_as<Cost>;
  { Op::check(problem, args, args) } -> std::same_as<Check>;
  { Op::odd_problems() } -> std::same_as<std::vector<typename Op::Problem>>;
  { Op::variants() } -> std::same_as<std::span<const VariantOf<typename Op::Problem, typename Op::Args>>>;
  Op::fields;
};

/// "in:2560/out:10240/sparsity_permille:400", with the dtype first where the problem has one.
template <class Op>
std::string describe(const typename Op::Problem& problem) {
  std::string text;
  if constexpr (requires { problem.dtype; }) text = fmt::format("{}/", name_of(problem.dtype));
  for (const auto& field : Op::fields) text += fmt::format("{}:{}/", field.name, problem.*field.member);
  text.pop_back();
  return text;
}

/// The variant that TRISECT_FORCE="<op>=<variant>[,<op>=<variant>...]" names for an op, or "".
std::string forced_variant(std::string_view op);

/// The variant that the engine runs: the table's last one that is available on the device and wants nothing
/// prepared, or the forced one. Throws Error(kUsage) when the forced one is unknown or cannot run.
template <OpContract Op>
const auto& best_variant(const typename Op::Problem& problem, Device device = Device::kCpu) {
  const auto variants = Op::variants();
  if (const std::string forced = forced_variant(Op::name); !forced.empty()) {
    std::string known;
    for (const auto& variant : variants) {
      known += fmt::format(" {}", variant.name);
      if (variant.name != forced || variant.device != device) continue;
      if (const Availability yes = variant.available(problem); !yes) {
        usage_error("TRISECT_FORCE: {}={} cannot run here: {}", Op::name, forced, yes.why_not);
      }
      if (variant.prepare != nullptr)
        usage_error("TRISECT_FORCE: {}={} wants its operands prepared", Op::name, forced);
      return variant;
    }
    usage_error("TRISECT_FORCE: {} has no variant '{}'; it has{}", Op::name, forced, known);
  }
  for (std::size_t i = variants.size(); i-- > 0;) {
    const auto& variant = variants[i];
    if (variant.device == device && variant.prepare == nullptr && variant.available(problem)) return variant;
  }
  environment_error("{}: no variant runs on {}", Op::name, name_of(device));
}

/// The row of an op's table that has this name.
template <OpContract Op>
const auto& variant_named(std::string_view name) {
  const auto variants = Op::variants();
  return *std::find_if(variants.begin(), variants.end(),
                       [&](const auto& variant) { return variant.name == name; });
}

}  // namespace trisect
