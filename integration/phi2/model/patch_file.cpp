// patch_tokenizer.json (docs/patch_tokenizer.md).
#include <nlohmann/json.hpp>
#include <set>

#include "integration/phi2/model/json.hpp"
#include "integration/phi2/model/patch_vocabulary.hpp"
#include "kernels/core/atomic_file.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

using nlohmann::json;
using Id = PatchVocabulary::Id;

constexpr char kFormat[] = "trisect-patch-tokenizer";
constexpr int kVersion = 1;

/// A value of the file and where it stands.
class Field {
 public:
  Field(const std::filesystem::path& file, std::string name, const json& value)
      : file_(file), name_(std::move(name)), value_(value) {}

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    environment_error("{}: {} {}; build the file again with phi2 adapt", file_.string(),
                      name_.empty() ? "the document" : name_,
                      fmt::format(format, std::forward<Args>(args)...));
  }

  /// All members, and no others, are `keys`.
  void expect_keys(const std::set<std::string>& keys) const {
    if (!value_.is_object()) fail("must be an object, not {}", value_.type_name());
    for (const auto& [key, unused] : value_.items()) {
      if (!keys.contains(key)) fail("has an unknown member {}", in_quotes(key));
    }
    for (const std::string& key : keys) {
      if (!value_.contains(key)) fail("has no member {}", key);
    }
  }
  Field operator[](const char* key) const {
    return {file_, name_.empty() ? key : name_ + "." + key, value_.at(key)};
  }
  const std::string& string() const {
    if (!value_.is_string()) fail("must be a string, not {}", value_.type_name());
    return value_.get_ref<const std::string&>();
  }
  std::int64_t integer(std::int64_t most) const {
    if (!value_.is_number_unsigned() || value_.get<std::uint64_t>() > static_cast<std::uint64_t>(most)) {
      fail("must be a whole number from 0 to {}, not {}", most, in_quotes(value_.dump()));
    }
    return value_.get<std::int64_t>();
  }
  double number() const {
    if (!value_.is_number()) fail("must be a number, not {}", value_.type_name());
    return value_.get<double>();
  }
  /// Calls take(id, value) for each of a list of [id, value].
  template <class Take>
  void each_pair(const Take& take) const {
    if (!value_.is_array()) fail("must be a list, not {}", value_.type_name());
    for (std::size_t i = 0; i < value_.size(); ++i) {
      const Field pair(file_, fmt::format("{}[{}]", name_, i), value_[i]);
      if (!value_[i].is_array() || value_[i].size() != 2) pair.fail("must be a list of two");
      take(pair.id(value_[i][0]), pair, value_[i][1]);
    }
  }
  Id id(const json& value) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > INT32_MAX) {
      fail("must have token ids, not {}", in_quotes(value.dump()));
    }
    return value.get<Id>();
  }
  std::vector<Id> ids(const json& value) const {
    if (!value.is_array()) fail("must have a list of token ids, not {}", value.type_name());
    std::vector<Id> all;
    for (const json& one : value) all.push_back(id(one));
    return all;
  }
  /// A name that `parse` knows.
  template <class Parse>
  auto named(Parse parse) const {
    try {
      return parse(string());
    } catch (const Error& error) {
      fail("is not known: {}", error.what());
    }
  }

 private:
  const std::filesystem::path& file_;
  std::string name_;
  const json& value_;
};

}  // namespace

PatchVocabulary read_patch_file(const std::filesystem::path& file) {
  if (file.extension() == ".pkl" || file.extension() == ".pickle") {
    environment_error(
        "{}: a pickle can run code and is not read; convert it with scripts/tools/import_patch_tokenizer.py",
        file.string());
  }
  const json document = load_json(file);
  const Field root(file, "", document);
  root.expect_keys({"format", "version", "base", "encoding", "embedding", "added", "removed", "moved"});
  if (root["format"].string() != kFormat) root["format"].fail("is not {}", kFormat);
  if (root["version"].integer(INT32_MAX) != kVersion) root["version"].fail("is not {}", kVersion);

  PatchVocabulary result;
  root["base"].expect_keys({"tokens", "hash"});
  result.base_tokens = static_cast<int>(root["base"]["tokens"].integer(INT32_MAX));
  result.base_hash = root["base"]["hash"].string();
  result.mode = root["encoding"].named(adaptivocab::patch_mode_from_name);
  root["embedding"].expect_keys({"kind", "base", "seed"});
  result.init = root["embedding"]["kind"].named(init_kind_from_name);
  result.init_base = root["embedding"]["base"].number();
  result.init_seed = static_cast<std::uint64_t>(root["embedding"]["seed"].integer(INT64_MAX));
  root["added"].each_pair([&](Id id, const Field& pair, const json& parts) {
    result.added.push_back({id, pair.ids(parts)});
  });
  root["removed"].each_pair([&](Id id, const Field& pair, const json& pieces) {
    result.removed.push_back({id, pair.ids(pieces)});
  });
  root["moved"].each_pair([&](Id token, const Field& pair, const json& id) {
    result.moved.push_back({token, pair.id(id)});
  });
  validate(result, file);
  return result;
}

void write_patch_file(const std::filesystem::path& file, const PatchVocabulary& vocabulary) {
  std::string text = fmt::format(
      "{{\n\"format\": \"{}\",\n\"version\": {},\n\"base\": {{\"tokens\": {}, \"hash\": \"{}\"}},\n"
      "\"encoding\": \"{}\",\n\"embedding\": {{\"kind\": \"{}\", \"base\": {}, \"seed\": {}}},\n",
      kFormat, kVersion, vocabulary.base_tokens, vocabulary.base_hash, adaptivocab::name_of(vocabulary.mode),
      name_of(vocabulary.init), json(vocabulary.init_base).dump(), vocabulary.init_seed);
  // One entry a line, so that two files can be compared.
  const auto list = [&](const char* name, const auto& all, const auto& entry, const char* end) {
    text += fmt::format("\"{}\": [", name);
    const char* separator = "\n";
    for (const auto& one : all) {
      text += separator + entry(one);
      separator = ",\n";
    }
    text += fmt::format("{}]{}", all.empty() ? "" : "\n", end);
  };
  list(
      "added", vocabulary.added,
      [](const auto& one) { return fmt::format("[{}, [{}]]", one.id, fmt::join(one.parts, ", ")); }, ",\n");
  list(
      "removed", vocabulary.removed,
      [](const auto& one) { return fmt::format("[{}, [{}]]", one.token, fmt::join(one.pieces, ", ")); },
      ",\n");
  list(
      "moved", vocabulary.moved, [](const auto& one) { return fmt::format("[{}, {}]", one.token, one.id); },
      "\n}\n");
  write_atomically(file, text);
}

}  // namespace trisect::phi2
