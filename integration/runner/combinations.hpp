// What compare puts side by side: every combination of the optimisations that are asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trisect::runner {

/// What a side has switched on.
struct Combination {
  bool larosa = false, kv_cache = false, vocabulary = false;

  bool baseline() const { return !larosa && !kv_cache && !vocabulary; }
  bool operator==(const Combination&) const = default;
};

/// "larosa", the KV policy's name, "adaptivocab"; none for the baseline.
std::vector<std::string> parts_of(const Combination& combination, std::string_view kv_cache);

/// "baseline", or the parts joined by "+".
std::string name_of(const Combination& combination, std::string_view kv_cache);

/// The baseline, then singles, pairs and all of what `asked` has. Of a list of names
/// ("larosa,larosa+vattention", or "all" for everything together) only those, and always the baseline. Throws
/// Error(kUsage) for a name that is none of them.
std::vector<Combination> combinations_of(const Combination& asked, std::string_view kv_cache,
                                         std::string_view only);

}  // namespace trisect::runner
