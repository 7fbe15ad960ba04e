#include "integration/phi2/tokenizer/patch_build.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "kernels/adaptivocab/ngram_select.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

constexpr std::string_view kBlanks = " \t\n\v\f\r";

bool is_white_space(const std::string& bytes) { return bytes.find_first_not_of(kBlanks) == bytes.npos; }

std::vector<std::int32_t> flags_of(const TokenizerFile& file, const PatchBuildOptions& options) {
  std::vector<std::int32_t> flags(file.bytes.size());
  for (std::size_t id = 0; id < flags.size(); ++id) {
    const std::string& bytes = file.bytes[id];
    const bool ends_line = bytes.find('\n') != bytes.npos;
    if (is_white_space(bytes) && !(ends_line && options.cross_lines)) flags[id] |= adaptivocab::kBarrier;
    if (!options.cross_words && !bytes.empty() && kBlanks.find(bytes[0]) != kBlanks.npos) {
      flags[id] |= adaptivocab::kStartsWord;
    }
    if (!options.digits && bytes.find_first_not_of("0123456789 ") == bytes.npos)
      flags[id] |= adaptivocab::kDigits;
  }
  for (const AddedToken& token : file.added_tokens)
    flags[static_cast<std::size_t>(token.id)] |= adaptivocab::kBarrier;
  return flags;
}

/// The tokens to give up, with the two that each was merged from.
std::vector<PatchVocabulary::Removed> least_used(const TokenizerFile& file, std::span<const TokenId> text,
                                                 int count) {
  std::vector<std::int64_t> uses(file.bytes.size());
  for (const TokenId id : text) ++uses[static_cast<std::size_t>(id)];
  std::vector<bool> taken(file.bytes.size());
  for (const AddedToken& token : file.added_tokens) taken[static_cast<std::size_t>(token.id)] = true;
  std::vector<PatchVocabulary::Removed> all;
  for (const Merge& merge : file.merges) {
    if (taken[static_cast<std::size_t>(merge.merged)]) continue;
    taken[static_cast<std::size_t>(merge.merged)] = true;
    all.push_back({merge.merged, {merge.left, merge.right}});
  }
  const auto key = [&](const PatchVocabulary::Removed& one) {
    const std::size_t id = static_cast<std::size_t>(one.token);
    return std::tuple(uses[id], -static_cast<std::int64_t>(file.bytes[id].size()), -one.token);
  };
  std::sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  if (all.size() < static_cast<std::size_t>(count)) {
    usage_error("--swap --add {}: only {} tokens can be removed", count, all.size());
  }
  all.resize(static_cast<std::size_t>(count));
  return all;
}

std::vector<TokenId> without_removed(const PatchVocabulary& vocabulary, std::span<const TokenId> text) {
  const auto resolved = vocabulary.resolved_pieces();
  std::vector<const std::vector<TokenId>*> pieces(static_cast<std::size_t>(vocabulary.base_tokens));
  for (std::size_t i = 0; i < resolved.size(); ++i) {
    pieces[static_cast<std::size_t>(vocabulary.removed[i].token)] = &resolved[i];
  }
  std::vector<TokenId> ids;
  ids.reserve(text.size());
  for (const TokenId id : text) {
    if (const auto* own = pieces[static_cast<std::size_t>(id)]; own != nullptr) {
      ids.insert(ids.end(), own->begin(), own->end());
    } else {
      ids.push_back(id);
    }
  }
  return ids;
}

/// Fills in `added` without ids, and the counts.
void select(std::span<const TokenId> text, std::span<const std::int32_t> flags,
            const PatchBuildOptions& options, PatchBuild& build) {
  using adaptivocab::NgramSelect;
  const NgramSelect::Problem problem{static_cast<int>(text.size()),
                                     static_cast<int>(flags.size()),
                                     options.max_n,
                                     options.min_count,
                                     options.add,
                                     options.released_score ? 1 : 0};
  const Buffer gram(Dtype::kI32, options.add, options.max_n), count(Dtype::kI32, 1, options.add),
      found(Dtype::kI32, 1, 1);
  best_variant<NgramSelect>(problem).run(
      problem, {View::of(text.data(), 1, problem.tokens), View::of(flags.data(), 1, problem.vocab),
                gram.view(), count.view(), found.view()});
  for (std::int32_t r = 0; r < *found.as<std::int32_t>(); ++r) {
    const std::int32_t* row = gram.view().row<std::int32_t>(r);
    build.vocabulary.added.push_back({0, {row, std::find(row, row + options.max_n, -1)}});
    build.count.push_back(count.as<std::int32_t>()[r]);
  }
}

void number_added(PatchVocabulary& vocabulary, bool swap) {
  std::vector<TokenId> free;
  if (swap) {
    vocabulary.removed.resize(std::min(vocabulary.removed.size(), vocabulary.added.size()));
    for (const auto& removed : vocabulary.removed) free.push_back(removed.token);
    std::sort(free.begin(), free.end());
  }
  for (std::size_t i = 0; i < vocabulary.added.size(); ++i) {
    vocabulary.added[i].id = swap ? free[i] : vocabulary.base_tokens + static_cast<TokenId>(i);
  }
}

}  // namespace

PatchBuild build_patch(const TokenizerFile& file, const Tokenizer& tokenizer, std::string_view text,
                       const PatchBuildOptions& options,
                       const std::function<void(std::string_view, double)>& progress) {
  constexpr int kMostAdded = 1 << 19, kLongest = 8;
  if (options.add < 1 || options.add > kMostAdded)
    usage_error("--add {}: choose 1 to {}", options.add, kMostAdded);
  if (options.max_n < 2 || options.max_n > kLongest)
    usage_error("--max-n {}: choose 2 to {}", options.max_n, kLongest);
  if (options.min_count < 1) usage_error("--min-count {}: choose at least 1", options.min_count);
  const auto show = [&](std::string_view what, double fraction) {
    if (progress) progress(what, fraction);
  };
  PatchBuild build;
  build.vocabulary.base_tokens = tokenizer.size();
  build.vocabulary.base_hash = tokenizer_hash(file);
  show("encoding the text", 0);
  std::vector<TokenId> ids = tokenizer.encode(text);
  build.corpus_tokens = static_cast<std::int64_t>(ids.size());
  if (options.swap) {
    build.vocabulary.removed = least_used(file, ids, options.add);
    ids = without_removed(build.vocabulary, ids);
  }
  show("counting and selecting", 0.5);
  select(ids, flags_of(file, options), options, build);
  if (build.vocabulary.added.empty()) {
    usage_error("no n-gram of the text occurs {} times: give a longer text or a lower --min-count",
                options.min_count);
  }
  number_added(build.vocabulary, options.swap);
  show("counting and selecting", 1);
  return build;
}

}  // namespace trisect::phi2
