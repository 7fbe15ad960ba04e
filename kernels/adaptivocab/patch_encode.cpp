#include "kernels/adaptivocab/patch_encode.hpp"

#include <algorithm>
#include <array>

#include "kernels/adaptivocab/ngrams.hpp"
#include "kernels/core/buffer.hpp"

namespace trisect::adaptivocab {
namespace {

constexpr std::array<std::string_view, 3> kModeNames = {"optimal", "longest", "released"};

struct Choice {
  std::int32_t pattern = PatchTrie::kNone;
  std::int32_t length = 1;
};

/// From left to right, at each place what `choose` takes. Calls put(id).
template <class Choose, class Put>
void encode_greedily(std::span<const std::int32_t> tokens, int vocab, const Choose& choose, const Put& put) {
  for (std::size_t at = 0; at < tokens.size();) {
    const Choice choice = choose(tokens.subspan(at));
    put(choice.pattern == PatchTrie::kNone ? tokens[at] : vocab + choice.pattern);
    at += static_cast<std::size_t>(choice.length);
  }
}

template <class Put>
void encode_optimally(const PatchTrie& trie, std::span<const std::int32_t> tokens, int vocab,
                      const Put& put) {
  struct Step {
    std::int32_t pattern, fewest;  // ids from here to the end
  };
  thread_local Scratch scratch;
  const std::size_t size = tokens.size();
  Step* const step = scratch.reserve<Step>(static_cast<std::int64_t>(size) + 1);
  step[size] = {PatchTrie::kNone, 0};
  for (std::size_t at = size; at-- > 0;) {
    Step best{PatchTrie::kNone, 1 + step[at + 1].fewest};
    trie.match(tokens.subspan(at), [&](std::int32_t pattern, int length) {
      const std::int32_t fewest = 1 + step[at + static_cast<std::size_t>(length)].fewest;
      if (fewest <= best.fewest) best = {pattern, fewest};  // of equal ones the longest, which comes last
    });
    step[at] = best;
  }
  for (std::size_t at = 0; at < size;) {
    const std::int32_t pattern = step[at].pattern;
    put(pattern == PatchTrie::kNone ? tokens[at] : vocab + pattern);
    at += pattern == PatchTrie::kNone ? 1 : static_cast<std::size_t>(trie.length(pattern));
  }
}

template <class Put>
void encode(const PatchTrie& trie, PatchMode mode, std::span<const std::int32_t> tokens, int vocab,
            const Put& put) {
  if (mode == PatchMode::kOptimal) return encode_optimally(trie, tokens, vocab, put);
  const bool longest = mode == PatchMode::kLongest;
  encode_greedily(
      tokens, vocab,
      [&](std::span<const std::int32_t> rest) {
        Choice choice;
        trie.match(rest, [&](std::int32_t pattern, int length) {
          if (longest || choice.pattern == PatchTrie::kNone || pattern < choice.pattern)
            choice = {pattern, length};
        });
        return choice;
      },
      put);
}

template <PatchMode mode>
void patch_encode_trie(const PatchEncode::Problem& problem, const PatchEncode::Args& args) {
  const std::span tokens(args.token.row<std::int32_t>(), static_cast<std::size_t>(problem.tokens));
  for (const std::int32_t id : tokens) {
    if (id < 0 || id >= problem.vocab)
      usage_error("token id {} is outside the vocabulary of {}", id, problem.vocab);
  }
  std::int32_t* out = args.out.row<std::int32_t>();
  encode(*static_cast<const PatchTrie*>(args.prepared.get()), mode, tokens, problem.vocab,
         [&](std::int32_t id) { *out++ = id; });
  *args.found.row<std::int32_t>() = static_cast<std::int32_t>(out - args.out.row<std::int32_t>());
}

std::shared_ptr<void> make_trie(const PatchEncode::Problem& problem, const PatchEncode::Args& args) {
  return std::make_shared<PatchTrie>(args.pattern, problem.vocab);
}

}  // namespace

std::string_view name_of(PatchMode mode) { return kModeNames[static_cast<std::size_t>(mode)]; }

PatchMode patch_mode_from_name(std::string_view name) {
  const auto found = std::find(kModeNames.begin(), kModeNames.end(), name);
  if (found == kModeNames.end()) usage_error("encoding '{}': choose optimal, longest or released", name);
  return static_cast<PatchMode>(found - kModeNames.begin());
}

void patch_encode(const PatchTrie& trie, PatchMode mode, std::span<const std::int32_t> tokens, int vocab,
                  std::vector<std::int32_t>& out) {
  encode(trie, mode, tokens, vocab, [&](std::int32_t id) { out.push_back(id); });
}

View pattern_input(Arena& arena, std::span<const std::int32_t> tokens, int entries, int n) {
  const View flat = arena.integers(patterns_from(tokens, entries, n));
  return View(flat.data, Dtype::kI32, entries, n);
}

PatchEncode::Args PatchEncode::make(const Problem& p, Arena& arena) {
  const auto tokens = text_like_tokens(p.tokens, p.vocab, 1);
  return {.token = arena.integers(tokens),
          .pattern = pattern_input(arena, tokens, p.entries, p.n),
          .out = arena.output(Dtype::kI32, 1, p.tokens),
          .found = arena.output(Dtype::kI32, 1, 1),
          .prepared = nullptr};
}

Cost PatchEncode::cost(const Problem& p) { return {4.0 * p.tokens, 4.0 * p.tokens, 0}; }

Check PatchEncode::check(const Problem&, const Args& got, const Args& want) {
  const Check found = check_equal(got.found, want.found);
  if (found.status != CheckStatus::kPass) return found;
  const std::int64_t ids = *want.found.row<std::int32_t>();
  return check_equal(got.out.columns(0, ids), want.out.columns(0, ids));
}

std::vector<PatchEncode::Problem> PatchEncode::odd_problems() {
  return {{1, 1, 1, 2},     {50, 1, 3, 4},     {3, 2, 4, 2},        {300, 2, 6, 4},
          {1000, 5, 40, 3}, {1000, 5, 100, 5}, {700, 300, 200, 3}, {500, 60000, 300, 4}};
}

std::span<const PatchEncode::Variant> PatchEncode::variants() {
  static const Variant table[] = {
      {.name = "ref", .run = patch_encode_ref},
      {.name = "ref_longest", .run = patch_encode_longest_ref, .ref = patch_encode_longest_ref},
      {.name = "ref_released", .run = patch_encode_released_ref, .ref = patch_encode_released_ref},
      {.name = "longest",
       .run = patch_encode_trie<PatchMode::kLongest>,
       .ref = patch_encode_longest_ref,
       .prepare = make_trie},
      {.name = "released",
       .run = patch_encode_trie<PatchMode::kReleased>,
       .ref = patch_encode_released_ref,
       .prepare = make_trie},
      {.name = "optimal", .run = patch_encode_trie<PatchMode::kOptimal>, .prepare = make_trie},
  };
  return table;
}

}  // namespace trisect::adaptivocab
