// Every pattern at every place.
#include <algorithm>
#include <vector>

#include "kernels/adaptivocab/patch_encode.hpp"

namespace trisect::adaptivocab {
namespace {

struct Texts {
  std::span<const std::int32_t> token;
  std::vector<std::span<const std::int32_t>> pattern;

  explicit Texts(const PatchEncode::Problem& problem, const PatchEncode::Args& args)
      : token(args.token.row<std::int32_t>(), static_cast<std::size_t>(problem.tokens)) {
    for (const std::int32_t id : token) {
      if (id < 0 || id >= problem.vocab)
        usage_error("token id {} is outside the vocabulary of {}", id, problem.vocab);
    }
    for (int r = 0; r < problem.entries; ++r) {
      const std::int32_t* row = args.pattern.row<std::int32_t>(r);
      pattern.emplace_back(row, std::find(row, row + problem.n, -1));
    }
  }

  bool begins(std::size_t p, std::size_t place) const {
    const auto& wanted = pattern[p];
    return token.size() - place >= wanted.size() &&
           std::equal(wanted.begin(), wanted.end(), token.begin() + static_cast<std::ptrdiff_t>(place));
  }
};

/// better(p, q): whether pattern p is to be taken rather than q.
template <class Better>
void encode_greedily(const PatchEncode::Problem& problem, const PatchEncode::Args& args,
                     const Better& better) {
  const Texts texts(problem, args);
  std::int32_t found = 0;
  for (std::size_t at = 0; at < texts.token.size();) {
    std::size_t best = texts.pattern.size();
    for (std::size_t p = 0; p < texts.pattern.size(); ++p) {
      if (texts.begins(p, at) && (best == texts.pattern.size() || better(texts, p, best))) best = p;
    }
    const bool none = best == texts.pattern.size();
    args.out.row<std::int32_t>()[found++] =
        none ? texts.token[at] : problem.vocab + static_cast<std::int32_t>(best);
    at += none ? 1 : texts.pattern[best].size();
  }
  *args.found.row<std::int32_t>() = found;
}

}  // namespace

void patch_encode_longest_ref(const PatchEncode::Problem& problem, const PatchEncode::Args& args) {
  encode_greedily(problem, args, [](const Texts& texts, std::size_t p, std::size_t best) {
    return texts.pattern[p].size() > texts.pattern[best].size();
  });
}

void patch_encode_released_ref(const PatchEncode::Problem& problem, const PatchEncode::Args& args) {
  encode_greedily(problem, args, [](const Texts&, std::size_t, std::size_t) { return false; });
}

void patch_encode_ref(const PatchEncode::Problem& problem, const PatchEncode::Args& args) {
  const Texts texts(problem, args);
  const std::size_t size = texts.token.size();
  std::vector<std::size_t> fewest(size + 1);  // ids from a place to the end
  for (std::size_t at = size; at-- > 0;) {
    fewest[at] = 1 + fewest[at + 1];
    for (std::size_t p = 0; p < texts.pattern.size(); ++p) {
      if (texts.begins(p, at)) fewest[at] = std::min(fewest[at], 1 + fewest[at + texts.pattern[p].size()]);
    }
  }
  std::int32_t found = 0;
  for (std::size_t at = 0; at < size;) {
    std::size_t length = 1;
    std::int32_t id = texts.token[at];
    for (std::size_t p = 0; p < texts.pattern.size(); ++p) {
      const std::size_t more = texts.pattern[p].size();
      if (more <= length || !texts.begins(p, at) || fewest[at] != 1 + fewest[at + more]) continue;
      length = more;
      id = problem.vocab + static_cast<std::int32_t>(p);
    }
    args.out.row<std::int32_t>()[found++] = id;
    at += length;
  }
  *args.found.row<std::int32_t>() = found;
}

}  // namespace trisect::adaptivocab
