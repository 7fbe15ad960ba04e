#include "reports/generator/schema.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "kernels/core/error.hpp"
#include "reports/generator/schema_text.hpp"

namespace trisect::report {
namespace {

using nlohmann::json;

bool has_type(const json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  return value.is_null();
}

std::string excerpt(const json& value) {
  if (value.is_structured()) return value.is_array() ? "an array" : "an object";
  return value.dump(-1, ' ', true).substr(0, 60);
}

const std::regex& compiled(const std::string& pattern) {
  static std::map<std::string, std::regex> known;
  const auto found = known.find(pattern);
  return found != known.end() ? found->second : known.emplace(pattern, std::regex(pattern)).first->second;
}

std::string choices(const json& list) {
  std::string text;
  for (const json& entry : list) {
    text += (text.empty() ? "" : ", ") + (entry.is_string() ? entry.get<std::string>() : entry.dump());
  }
  return text;
}

class Validator {
 public:
  Validator(std::string_view name, const std::string& file) : document_(name), file_(file) {}

  void check(const json& value, const json& rule, const std::string& field) const {
    if (const auto reference = rule.find("$ref"); reference != rule.end()) {
      return follow(value, reference->get<std::string>(), field);
    }
    check_scalar(value, rule, field);
    if (value.is_object()) check_object(value, rule, field);
    if (const auto items = rule.find("items"); items != rule.end() && value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) check(value[i], *items, fmt::format("{}[{}]", field, i));
    }
  }

 private:
  [[noreturn]] void fail(const std::string& field, const std::string& what) const {
    environment_error("{}: {} {}", file_, field.empty() ? "the document" : field, what);
  }

  void check_string(const std::string& value, const json& rule, const std::string& field) const {
    // Length first: the pattern is then tried on something short.
    if (const auto longest = rule.find("maxLength"); longest != rule.end() && value.size() > *longest) {
      fail(field, fmt::format("has {} characters, must have at most {}", value.size(), longest->dump()));
    }
    if (const auto pattern = rule.find("pattern"); pattern != rule.end()) {
      if (!std::regex_search(value, compiled(*pattern)))
        fail(field, fmt::format("is {}, must match {}", excerpt(value), pattern->get<std::string>()));
    }
  }

  void follow(const json& value, const std::string& reference, const std::string& field) const {
    const std::size_t hash = reference.find('#');
    const std::string name = hash == 0 ? document_ : reference.substr(0, reference.find('.'));
    Validator(name, file_)
        .check(value, schema(name).at(json::json_pointer(reference.substr(hash + 1))), field);
  }

  void check_scalar(const json& value, const json& rule, const std::string& field) const {
    if (const auto type = rule.find("type"); type != rule.end()) {
      const json types = type->is_array() ? *type : json::array({*type});
      if (std::none_of(types.begin(), types.end(), [&](const json& t) { return has_type(value, t); })) {
        fail(field, fmt::format("is {}, must be of type {}", excerpt(value), choices(types)));
      }
    }
    if (const auto only = rule.find("const"); only != rule.end() && value != *only) {
      fail(field, fmt::format("is {}, but this report reads {} only: use the programs of one version",
                              excerpt(value), only->dump()));
    }
    if (const auto list = rule.find("enum"); list != rule.end()) {
      if (std::find(list->begin(), list->end(), value) == list->end()) {
        fail(field, fmt::format("is {}, must be one of {}", excerpt(value), choices(*list)));
      }
    }
    if (value.is_string()) check_string(value.get_ref<const std::string&>(), rule, field);
    if (const auto fewest = rule.find("minItems"); fewest != rule.end() && value.is_array()) {
      if (value.size() < *fewest)
        fail(field, fmt::format("has {} entries, must have at least {}", value.size(), fewest->dump()));
    }
    if (!value.is_number()) return;
    if (const auto least = rule.find("minimum"); least != rule.end() && value < *least) {
      fail(field, fmt::format("is {}, must be at least {}", excerpt(value), least->dump()));
    }
    if (const auto most = rule.find("maximum"); most != rule.end() && value > *most) {
      fail(field, fmt::format("is {}, must be at most {}", excerpt(value), most->dump()));
    }
  }

  void check_object(const json& value, const json& rule, const std::string& field) const {
    static const json none = json::object();
    const auto part = [&](const char* key) -> const json& { return rule.contains(key) ? rule[key] : none; };
    const std::string prefix = field.empty() ? "" : field + ".";
    const json& properties = part("properties");
    // Constants go first: of an old or a foreign file, its version is what to complain about.
    for (const bool constants : {true, false}) {
      for (const auto& [key, entry] : properties.items()) {
        if (value.contains(key) && entry.contains("const") == constants)
          check(value[key], entry, prefix + key);
      }
      if (!constants) continue;
      for (const json& key : part("required")) {
        if (!value.contains(key)) fail(prefix + key.get<std::string>(), "is missing");
      }
    }
    for (const auto& [key, entry] : value.items()) {
      if (properties.contains(key)) continue;
      if (rule.contains("propertyNames")) check(key, rule["propertyNames"], prefix + "(a key)");
      if (rule.contains("additionalProperties")) check(entry, rule["additionalProperties"], prefix + key);
    }
  }

  std::string document_;
  const std::string& file_;
};

}  // namespace

std::vector<std::string_view> schema_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, text] : schema_texts()) names.push_back(name);
  return names;
}

const nlohmann::json& schema(std::string_view name) {
  static const std::map<std::string_view, json> documents = [] {
    std::map<std::string_view, json> parsed;
    for (const auto& [key, text] : schema_texts()) parsed[key] = json::parse(text);
    return parsed;
  }();
  return documents.at(name);
}

void validate(const nlohmann::json& value, std::string_view name, const std::string& file) {
  Validator(name, file).check(value, schema(name), "");
}

}  // namespace trisect::report
