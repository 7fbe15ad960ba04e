#include "integration/phi2/tokenizer/tokenizer_file.hpp"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "integration/phi2/model/content_hash.hpp"
#include "integration/phi2/tokenizer/byte_alphabet.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

using Json = nlohmann::json;

/// For messages: in quotes, on one line, in ASCII.
std::string quoted(const std::string& text) { return Json(text).dump(-1, ' ', true); }

/// A value of the file and where it stands, so that a complaint can name both.
class Field {
 public:
  Field(const std::string& file, std::string name, const Json& value)
      : file_(file), name_(std::move(name)), value_(value) {}

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    environment_error("{}: {} {}", file_, name_.empty() ? "the document" : name_,
                      fmt::format(format, std::forward<Args>(args)...));
  }

  /// A member that is missing is null.
  Field operator[](const std::string& key) const {
    static const Json kNull;
    if (!value_.is_object()) fail("must be an object, not {}", value_.type_name());
    const auto found = value_.find(key);
    return {file_, name_.empty() ? key : name_ + "." + key, found == value_.end() ? kNull : *found};
  }
  Field operator[](std::size_t index) const {
    return {file_, fmt::format("{}[{}]", name_, index), value_.at(index)};
  }

  bool is_null() const { return value_.is_null(); }
  bool is_string() const { return value_.is_string(); }
  const Json::object_t& object() const {
    if (!value_.is_object()) fail("must be an object, not {}", value_.type_name());
    return value_.get_ref<const Json::object_t&>();
  }
  std::size_t array_size() const {
    if (!value_.is_array()) fail("must be an array, not {}", value_.type_name());
    return value_.size();
  }
  const std::string& string() const {
    if (!value_.is_string()) fail("must be a string, not {}", value_.type_name());
    return value_.get_ref<const std::string&>();
  }
  bool boolean() const {
    if (!value_.is_boolean()) fail("must be true or false, not {}", value_.type_name());
    return value_.get<bool>();
  }
  bool boolean_or(bool absent) const { return is_null() ? absent : boolean(); }
  bool is(const Json& value) const { return value_ == value; }
  /// Nothing, or the value that means nothing; all else is refused.
  void expect_neutral(const Json& neutral) const {
    if (!is_null() && !is(neutral)) fail("is not supported: only plain byte-level BPE as in GPT-2 is");
  }

 private:
  const std::string& file_;
  std::string name_;
  const Json& value_;
};

Json parse(const std::filesystem::path& path, const std::string& name) {
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path)) {
    environment_error("{} cannot be read: a tokenizer.json is needed", name);
  }
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  try {
    return Json::parse(text);
  } catch (const Json::exception&) {
    environment_error("{} is not valid JSON: truncated or damaged, fetch it again", name);
  }
}

void check_type(const Field& field, std::string_view type) {
  const std::string& found = field["type"].string();
  if (found != type) field["type"].fail("is {}, but only {} is supported", quoted(found), type);
}

void read_vocab(const Field& field, TokenizerFile& result) {
  const auto& tokens = field.object();
  result.bytes.resize(tokens.size());
  std::vector<bool> taken(tokens.size());
  for (const auto& [token, value] : tokens) {
    const std::uint64_t id = value.is_number_unsigned() ? value.get<std::uint64_t>() : tokens.size();
    if (id >= tokens.size() || taken[id]) {
      field.fail("must give each token an id of its own from 0 to {}, but gives {} {}", tokens.size() - 1,
                 quoted(token), value.is_number() ? value.dump() : value.type_name());
    }
    taken[id] = true;
    const auto bytes = spelled_bytes(token);
    if (bytes) result.vocab.emplace(*bytes, static_cast<TokenId>(id));
    result.bytes[id] = bytes.value_or(token);
  }
  for (int b = 0; b < 256; ++b) {
    if (!result.vocab.contains(std::string(1, static_cast<char>(b)))) {
      field.fail("lacks '{}', the token of byte {:#04x}: not a byte-level vocabulary",
                 spelling_of(static_cast<unsigned char>(b)), b);
    }
  }
}

TokenId token_id(const Field& merge, const Json::object_t& vocab, const std::string& token) {
  const auto found = vocab.find(token);
  if (found == vocab.end()) merge.fail("needs {}, which is not in model.vocab", quoted(token));
  return found->second.get<TokenId>();
}

/// "a b" or ["a", "b"].
std::pair<std::string, std::string> merge_pair(const Field& merge) {
  if (!merge.is_string()) {
    if (merge.array_size() != 2) merge.fail("must be two tokens");
    return {merge[0].string(), merge[1].string()};
  }
  const std::string& both = merge.string();
  const std::size_t space = both.find(' ');
  if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos) {
    merge.fail("must be two tokens with one space between them");
  }
  return {both.substr(0, space), both.substr(space + 1)};
}

void read_merges(const Field& field, const Json::object_t& vocab, TokenizerFile& result) {
  const std::size_t count = field.array_size();
  result.merges.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Field merge = field[i];
    const auto [left, right] = merge_pair(merge);
    result.merges.push_back(
        {token_id(merge, vocab, left), token_id(merge, vocab, right), token_id(merge, vocab, left + right)});
  }
}

/// Hugging Face's library numbers added tokens in the order of the file, from the end of the vocabulary on,
/// whatever ids are written there; a file in which the two differ would mean different things to different
/// readers.
void read_added_tokens(const Field& field, const Json::object_t& vocab, TokenizerFile& result) {
  if (field.is_null()) return;
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < field.array_size(); ++i) {
    const Field token = field[i];
    const std::string& content = token["content"].string();
    if (content.empty()) token["content"].fail("is empty");
    if (const auto [first, is_new] = seen.emplace(content, i); !is_new) {
      token["content"].fail("{} is that of added_tokens[{}], too", quoted(content), first->second);
    }
    for (const char* option : {"single_word", "lstrip", "rstrip"}) {
      if (token[option].boolean()) token[option].fail("is true, which is not supported");
    }
    const auto in_vocab = vocab.find(content);
    const bool is_new = in_vocab == vocab.end();
    const std::uint64_t id = is_new ? result.bytes.size() : in_vocab->second.get<std::uint64_t>();
    if (!token["id"].is(id)) token["id"].fail("must be {}, the id of {}", id, quoted(content));
    if (is_new) result.bytes.push_back(content);
    result.added_tokens.push_back({content, static_cast<TokenId>(id), token["normalized"].boolean()});
  }
}

}  // namespace

TokenizerFile read_tokenizer_file(const std::filesystem::path& path) {
  const std::string name = path.string();
  const Json json = parse(path, name);
  const Field root(name, "", json);
  TokenizerFile result;

  root["version"].expect_neutral("1.0");
  root["normalizer"].expect_neutral(nullptr);
  const Field pre_tokenizer = root["pre_tokenizer"];
  check_type(pre_tokenizer, "ByteLevel");
  result.add_prefix_space = pre_tokenizer["add_prefix_space"].boolean();
  result.use_regex = pre_tokenizer["use_regex"].boolean_or(true);
  if (!root["post_processor"].is_null()) check_type(root["post_processor"], "ByteLevel");
  check_type(root["decoder"], "ByteLevel");

  const Field model = root["model"];
  if (!model["type"].is_null()) check_type(model, "BPE");
  model["dropout"].expect_neutral(0.0);
  model["continuing_subword_prefix"].expect_neutral("");
  model["end_of_word_suffix"].expect_neutral("");
  result.ignore_merges = model["ignore_merges"].boolean_or(false);

  const auto& vocab = model["vocab"].object();
  read_vocab(model["vocab"], result);
  read_merges(model["merges"], vocab, result);
  read_added_tokens(root["added_tokens"], vocab, result);
  return result;
}

std::string tokenizer_hash(const TokenizerFile& file) {
  std::string text;
  for (const std::string& bytes : file.bytes) text += fmt::format("{}:{}", bytes.size(), bytes);
  text += "merges\n";
  for (const Merge& merge : file.merges) text += fmt::format("{} {}\n", merge.left, merge.right);
  text += "added\n";
  for (const AddedToken& token : file.added_tokens) text += fmt::format("{} {:d}\n", token.id, token.normalized);
  text += fmt::format("{:d} {:d} {:d}\n", file.add_prefix_space, file.use_regex, file.ignore_merges);
  return hash_name(hash_text(text));
}

}  // namespace trisect::phi2
