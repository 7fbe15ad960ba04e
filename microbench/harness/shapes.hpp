// Which problems are measured. A shapes file maps an op's name to a list of cartesian products over its
// fields:
//   {"larosa/topk": [{"rows": [1], "n": [2560, 10240], "sparsity_permille": [0, 500]}],
//    "larosa/rotate": [{"rows": 1, "n": 2560, "dtype": ["bf16"]}]}
// Integers are 1 to 2^31 - 1, permilles ("..._permille") 0 to 999, flags ("is_...") 0 or 1; every field is
// required, unknown ones are refused.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/op.hpp"

namespace trisect::microbench {

class Shapes {
 public:
  /// `name` is phi2, smoke, compare, or the path of a file. Named ones lie in $TRISECT_SHAPES or where the
  /// build put them. Throws Error: kUsage for an unknown name, kEnvironment for a file that cannot be read or
  /// is malformed.
  static Shapes load(const std::string& name);

  /// In file order, duplicates left out. Throws Error(kEnvironment) naming file, op and field.
  template <OpContract Op>
  std::vector<typename Op::Problem> problems() {
    std::vector<std::string_view> fields;
    for (const auto& field : Op::fields) fields.push_back(field.name);
    constexpr bool kTyped = requires(typename Op::Problem p) { p.dtype; };
    std::vector<typename Op::Problem> problems;
    std::set<std::string> seen;
    for (const Point& point : expand(Op::name, fields, kTyped)) {
      typename Op::Problem problem{};
      for (std::size_t i = 0; i < fields.size(); ++i) problem.*Op::fields[i].member = point.values[i];
      if constexpr (kTyped) problem.dtype = point.dtype;
      if (seen.insert(describe<Op>(problem)).second) problems.push_back(problem);
    }
    return problems;
  }

  /// Throws when the file names an op that problems() was never asked for.
  void require_all_known() const;

  const std::string& name() const { return name_; }
  const std::filesystem::path& path() const { return path_; }
  const std::string& fnv1a64() const { return fnv1a64_; }  ///< of the file's bytes, 16 hexadecimal digits

 private:
  struct Point {
    std::vector<int> values;
    Dtype dtype = Dtype::kF32;
  };
  std::vector<Point> expand(std::string_view op, const std::vector<std::string_view>& fields, bool typed);

  std::string name_, fnv1a64_;
  std::filesystem::path path_;
  nlohmann::json products_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace trisect::microbench
