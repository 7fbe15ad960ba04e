#include "integration/runner/combinations.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

int size_of(const Combination& combination) {
  return combination.larosa + combination.kv_cache + combination.vocabulary;
}

std::vector<Combination> all_of(const Combination& asked) {
  std::vector<Combination> all;
  for (const bool vocabulary : {false, true}) {
    for (const bool kv_cache : {false, true}) {
      for (const bool larosa : {false, true}) {
        if ((vocabulary && !asked.vocabulary) || (kv_cache && !asked.kv_cache) || (larosa && !asked.larosa))
          continue;
        all.push_back({larosa, kv_cache, vocabulary});
      }
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Combination& a, const Combination& b) { return size_of(a) < size_of(b); });
  return all;
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    names.emplace_back(list.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

}  // namespace

std::vector<std::string> parts_of(const Combination& combination, std::string_view kv_cache) {
  std::vector<std::string> parts;
  if (combination.larosa) parts.emplace_back("larosa");
  if (combination.kv_cache) parts.emplace_back(kv_cache);
  if (combination.vocabulary) parts.emplace_back("adaptivocab");
  return parts;
}

std::string name_of(const Combination& combination, std::string_view kv_cache) {
  return combination.baseline() ? "baseline"
                                : fmt::format("{}", fmt::join(parts_of(combination, kv_cache), "+"));
}

std::vector<Combination> combinations_of(const Combination& asked, std::string_view kv_cache,
                                         std::string_view only) {
  const std::vector<Combination> all = all_of(asked);
  if (only.empty()) return all;
  std::vector<bool> wanted(all.size());
  wanted.front() = true;
  for (const std::string& name : split(only)) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const Combination& one) {
      return name == name_of(one, kv_cache) || (name == "all" && one == asked);
    });
    if (found == all.end()) {
      std::vector<std::string> names;
      for (const Combination& one : all) names.push_back(name_of(one, kv_cache));
      usage_error("--only {}: what is asked for makes {}", name, fmt::join(names, ", "));
    }
    wanted[static_cast<std::size_t>(found - all.begin())] = true;
  }
  std::vector<Combination> chosen;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (wanted[i]) chosen.push_back(all[i]);
  }
  return chosen;
}

}  // namespace trisect::runner
