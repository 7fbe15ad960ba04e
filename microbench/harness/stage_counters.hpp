// Where the time of a composed op goes: its Args carry `stages`, nanoseconds that every call adds to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

namespace trisect::microbench {

template <class Args>
constexpr bool kHasStages = requires(const Args& args) {
  args.stages->rotate;
};

template <class Args>
void reset_stages([[maybe_unused]] const std::vector<Args>& copies) {
  if constexpr (kHasStages<Args>) {
    for (const Args& args : copies) *args.stages = {};
  }
}

/// In nanoseconds a call, of the stages that took any.
template <class Args>
std::map<std::string, double> stage_counters([[maybe_unused]] const std::vector<Args>& copies,
                                             [[maybe_unused]] std::int64_t calls) {
  std::map<std::string, double> counters;
  if constexpr (kHasStages<Args>) {
    using Stages = std::remove_reference_t<decltype(*copies[0].stages)>;
    const auto count = [&](const char* counter, double Stages::*stage) {
      double sum = 0;
      for (const Args& args : copies) sum += *args.stages.*stage;
      if (sum > 0) counters[counter] = sum / static_cast<double>(calls);
    };
    count("rotate_ns", &Stages::rotate);
    count("topk_ns", &Stages::topk);
    count("scatter_ns", &Stages::scatter);
    count("unrotate_ns", &Stages::unrotate);
    count("product_ns", &Stages::product);
  }
  return counters;
}

}  // namespace trisect::microbench
