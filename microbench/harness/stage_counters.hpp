// Where the time of a composed op goes: its Args carry `stages`, nanoseconds that every call adds to, in a
// struct that lists its members with their names as kFields.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

namespace trisect::microbench {

template <class Args>
constexpr bool kHasStages = requires(const Args& args) {
  args.stages->kFields;
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
    for (const auto& [name, stage] : Stages::kFields) {
      double sum = 0;
      for (const Args& args : copies) sum += *args.stages.*stage;
      if (sum > 0) counters[std::string(name) + "_ns"] = sum / static_cast<double>(calls);
    }
  }
  return counters;
}

}  // namespace trisect::microbench
