#include "integration/runner/hf_export.hpp"

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "integration/phi2/model/checkpoint.hpp"
#include "integration/phi2/model/json.hpp"
#include "integration/runner/adapted_model.hpp"
#include "kernels/core/atomic_file.hpp"
#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr float kNever = -30000;  // a logit that no token wins with, in half precision too

/// Spellings in the byte alphabet by id, of model.vocab and the added tokens.
std::vector<std::string> spellings(const json& document, int tokens, const fs::path& file) {
  std::vector<std::string> all(static_cast<std::size_t>(tokens));
  const auto put = [&](const std::string& spelling, const json& id) {
    if (!id.is_number_unsigned() || id.get<std::size_t>() >= all.size())
      environment_error("{}: {} has the id {}; the patch is of another tokenizer", file.string(),
                        phi2::in_quotes(spelling), id.dump());
    all[id.get<std::size_t>()] = spelling;
  };
  for (const auto& [spelling, id] : document.at("model").at("vocab").items()) put(spelling, id);
  for (const json& token : document.at("added_tokens")) put(token.at("content"), token.at("id"));
  return all;
}

class Merges {
 public:
  Merges(const json& list, const std::map<std::string, int>& ids) : ids_(ids) {
    strings_ = list.empty() || list.front().is_string();
  }

  /// The merges that join the parts into one, each result a token; empty where there is no such order.
  std::vector<std::pair<std::string, std::string>> joining(const std::vector<std::string>& parts) const {
    if (parts.size() == 2) return {{parts[0], parts[1]}};
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      std::vector<std::string> fewer(parts);
      fewer[i] += fewer[i + 1];
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      if (!ids_.contains(fewer[i])) continue;
      if (auto rest = joining(fewer); !rest.empty()) {
        rest.insert(rest.begin(), {parts[i], parts[i + 1]});
        return rest;
      }
    }
    return {};
  }

  json written(const std::string& left, const std::string& right) const {
    return strings_ ? json(left + " " + right) : json::array({left, right});
  }

 private:
  const std::map<std::string, int>& ids_;
  bool strings_;
};

/// A space is the first byte of a piece, if it is there at all; other white space and joined pieces never are
/// within one.
bool within_a_word(const std::vector<std::string>& parts) {
  constexpr std::string_view kSpace = "\u0120", kLineEnd = "\u010a";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].find(kLineEnd) != std::string::npos) return false;
    if (i > 0 && parts[i].starts_with(kSpace)) return false;
  }
  return true;
}

}  // namespace

HfTokens write_hf_tokenizer(const fs::path& tokenizer_json, const phi2::PatchVocabulary& vocabulary,
                            const fs::path& output) {
  if (!vocabulary.removed.empty() || !vocabulary.moved.empty()) {
    usage_error(
        "--export-hf: {} base tokens were removed and {} moved, which a tokenizer.json cannot say: its "
        "merges "
        "need every token that they pass through; adapt without --swap",
        vocabulary.removed.size(), vocabulary.moved.size());
  }
  json document = phi2::load_json(tokenizer_json);
  const std::vector<std::string> base = spellings(document, vocabulary.base_tokens, tokenizer_json);
  std::map<std::string, int> ids;
  for (std::size_t id = 0; id < base.size(); ++id) ids.emplace(base[id], static_cast<int>(id));
  const auto parts_of = [&](const phi2::PatchVocabulary::Added& added) {
    std::vector<std::string> parts;
    for (const auto part : added.parts) parts.push_back(base[static_cast<std::size_t>(part)]);
    return parts;
  };
  HfTokens tokens{vocabulary.added.size(), 0, {}};
  for (const auto& added : vocabulary.added) {
    std::string spelling;
    for (const std::string& part : parts_of(added)) spelling += part;
    const auto [first, is_new] = ids.emplace(spelling, added.id);
    if (is_new) continue;
    // The text goes to the new token, and of two new ones to that which was selected first.
    const bool of_base = first->second < vocabulary.base_tokens;
    tokens.unused.push_back(of_base ? first->second : added.id);
    if (of_base) first->second = added.id;
  }
  // Added tokens keep their ids only if the vocabulary has them, too: the new ones come after them.
  json& model = document.at("model");
  for (const auto& [spelling, id] : ids) model["vocab"][spelling] = id;
  for (const int id : tokens.unused) model["vocab"][fmt::format("<|unused:{}|>", id)] = id;
  const Merges merges(model.at("merges"), ids);
  std::map<std::pair<std::string, std::string>, bool> written;
  for (const auto& added : vocabulary.added) {
    const std::vector<std::string> parts = parts_of(added);
    const auto joining =
        within_a_word(parts) ? merges.joining(parts) : std::vector<std::pair<std::string, std::string>>();
    tokens.encoded += joining.empty() ? 0 : 1;
    for (const auto& pair : joining) {
      if (written.emplace(pair, true).second)
        model["merges"].push_back(merges.written(pair.first, pair.second));
    }
  }
  write_atomically(output / "tokenizer.json", document.dump(1) + "\n");
  return tokens;
}

void write_hf_model(const fs::path& model, const std::vector<int>& unused, const fs::path& output) {
  const phi2::Checkpoint checkpoint(model);
  Buffer bias;
  std::vector<phi2::NamedTensor> tensors;
  for (const auto& [name, entry] : checkpoint.tensors()) {
    const auto type = entry.tensor->floating();
    if (!type) continue;
    std::byte* data = const_cast<std::byte*>(entry.file->data(*entry.tensor));
    const auto count = static_cast<std::int64_t>(entry.tensor->bytes / size_of(*type));
    tensors.push_back({name, View(data, *type, 1, count), entry.tensor->shape});
    if (name != "lm_head.bias") continue;
    bias = Buffer(*type, 1, count);
    std::memcpy(bias.data(), data, entry.tensor->bytes);
    for (const int id : unused) {
      convert(&kNever, Dtype::kF32, bias.view().columns(id, 1).data, *type, 1);
    }
    tensors.back().values = bias.view();
  }
  phi2::write_safetensors(output / "model.safetensors", tensors, {{"format", "pt"}});
  for (const char* name : {"config.json", "tokenizer_config.json", "generation_config.json"}) {
    std::error_code error;
    if (!fs::exists(model / name, error)) continue;
    fs::copy_file(model / name, output / name, fs::copy_options::overwrite_existing, error);
    if (error) environment_error("{}: cannot be copied: {}", (model / name).string(), error.message());
  }
}

}  // namespace trisect::runner
