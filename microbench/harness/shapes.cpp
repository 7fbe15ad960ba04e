#include "microbench/harness/shapes.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>

namespace trisect::microbench {
namespace {

using nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{1} << 20;
constexpr std::size_t kMostProblems = 10000;
constexpr int kMostDepth = 8;  // printing a value recurses

/// One line, whatever bytes a file put into it.
std::string as_text(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return text;
}

std::string read_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    environment_error("{}: is a directory, not a shapes file", path.string());
  std::ifstream file(path, std::ios::binary);
  if (!file) environment_error("{}: cannot open the shapes file: {}", path.string(), std::strerror(errno));
  std::string text(kMostBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMostBytes)
    environment_error("{}: larger than {} bytes: not a shapes file", path.string(), kMostBytes);
  return text;
}

std::string hash_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return fmt::format("{:016x}", hash);
}

std::filesystem::path resolve(const std::string& name) {
  if (name == "phi2" || name == "smoke" || name == "compare") {
    const char* directory = std::getenv("TRISECT_SHAPES");
    return std::filesystem::path(directory != nullptr ? directory : TRISECT_SHAPES_DIR) / (name + ".json");
  }
  if (std::filesystem::exists(name)) return name;
  usage_error("--shapes {}: no such file; choose phi2, smoke, compare or a file", name);
}

/// Where a complaint is about.
struct Place {
  const std::filesystem::path& file;
  std::string_view op;

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    environment_error("{}: {}: {}", file.string(), op, fmt::format(format, std::forward<Args>(args)...));
  }
};

std::vector<int> integers(const Place& place, std::string_view field, const json& given) {
  const bool permille = field.ends_with("_permille"), flag = field.starts_with("is_");
  const std::int64_t least = permille || flag ? 0 : 1;
  const std::int64_t most = flag ? 1 : permille ? 999 : std::numeric_limits<int>::max();
  std::vector<int> values;
  for (const json& value : given.is_array() ? given : json::array({given})) {
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX) &&
                      value.get<std::int64_t>() >= least && value.get<std::int64_t>() <= most;
    if (!fits)
      place.refuse("field \"{}\" is {}, must be an integer from {} to {}, or a list of them", field,
                   as_text(value), least, most);
    values.push_back(value.get<int>());
  }
  if (values.empty()) place.refuse("field \"{}\" is an empty list", field);
  return values;
}

std::vector<Dtype> dtypes(const Place& place, const json& given) {
  std::vector<Dtype> values;
  for (const json& value : given.is_array() ? given : json::array({given})) {
    if (value == "f32") {
      values.push_back(Dtype::kF32);
    } else if (value == "bf16") {
      values.push_back(Dtype::kBf16);
    } else {
      place.refuse("field \"dtype\" is {}, must be \"f32\" or \"bf16\", or a list of them", as_text(value));
    }
  }
  if (values.empty()) place.refuse("field \"dtype\" is an empty list");
  return values;
}

}  // namespace

Shapes Shapes::load(const std::string& name) {
  Shapes shapes;
  shapes.name_ = name;
  shapes.path_ = resolve(name);
  const std::string text = read_file(shapes.path_);
  shapes.fnv1a64_ = hash_of(text);
  try {
    shapes.products_ = json::parse(text, [&](int depth, json::parse_event_t, const json&) {
      if (depth > kMostDepth)
        environment_error("{}: nested too deeply for a shapes file", shapes.path_.string());
      return true;
    });
  } catch (const json::exception& error) {
    environment_error("{}: not JSON: {}", shapes.path_.string(), error.what());
  }
  if (!shapes.products_.is_object()) {
    environment_error("{}: must be an object from op names to lists of products", shapes.path_.string());
  }
  return shapes;
}

std::vector<Shapes::Point> Shapes::expand(std::string_view op, const std::vector<std::string_view>& fields,
                                          bool typed) {
  known_.emplace(op);
  std::vector<Point> points;
  const auto found = products_.find(std::string(op));
  if (found == products_.end()) return points;
  const Place place{path_, op};
  if (!found->is_array()) place.refuse("must be a list of products, is {}", as_text(*found));
  for (const json& product : *found) {
    if (!product.is_object())
      place.refuse("a product must be an object from fields to integers, is {}", as_text(product));
    for (const auto& [field, unused] : product.items()) {
      const bool known =
          std::find(fields.begin(), fields.end(), field) != fields.end() || (typed && field == "dtype");
      if (!known)
        place.refuse("unknown field {}; the fields are {}{}", as_text(field), fmt::join(fields, ", "),
                     typed ? ", dtype" : "");
    }
    const auto required = [&](std::string_view field) -> const json& {
      const auto value = product.find(std::string(field));
      if (value == product.end()) place.refuse("field \"{}\" is missing", field);
      return *value;
    };
    std::vector<Point> partial;
    for (const Dtype type : typed ? dtypes(place, required("dtype")) : std::vector{Dtype::kF32})
      partial.push_back({{}, type});
    for (const std::string_view field : fields) {
      const std::vector<int> values = integers(place, field, required(field));
      if (partial.size() * values.size() > kMostProblems)
        place.refuse("more than {} problems", kMostProblems);
      std::vector<Point> longer;
      for (const Point& point : partial) {
        for (const int value : values) {
          longer.push_back(point);
          longer.back().values.push_back(value);
        }
      }
      partial = std::move(longer);
    }
    points.insert(points.end(), partial.begin(), partial.end());
  }
  return points;
}

void Shapes::require_all_known() const {
  for (const auto& [op, unused] : products_.items()) {
    if (!known_.contains(op)) {
      environment_error("{}: unknown op {}; the ops are {}", path_.string(), as_text(op),
                        fmt::join(known_, ", "));
    }
  }
}

}  // namespace trisect::microbench
