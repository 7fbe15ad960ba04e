// The base tokenizer as an op: what every text goes through before a patch shortens it. It is built on core
// alone and lives with phi2, so this is the one place where microbench reaches beyond kernels/.
#pragma once

#include <tuple>

#include "kernels/core/op.hpp"

namespace trisect::microbench {

/// A text to encode. `text` is 1 prose (integration/texts/general.txt), 2 code, 3 mostly blanks, 4 other
/// scripts than Latin; all but the first are drawn from a seed. `is_phi2`: the tokenizer.json in
/// $TRISECT_PHI2_TOKENIZER instead of phi-mini's.
struct TokenizerProblem {
  int kilobytes, text, is_phi2;
};

/// Arguments of encoding and decoding: `bytes` is the text, packed into i32 with zeros at the end, `token`
/// its ids.
struct TokenizerArgs {
  View bytes;  ///< i32 [1][kilobytes * 250]
  View token;  ///< i32 [1][kilobytes * 1000]
  View found;  ///< i32 [1][1]: ids in token, or bytes in bytes
};

/// From bytes to token.
struct BaseEncode {
  static constexpr std::string_view name = "adaptivocab/base_encode";
  using Problem = TokenizerProblem;
  using Args = TokenizerArgs;
  using Variant = VariantOf<Problem, Args>;
  static constexpr Field<Problem> fields[] = {
      {"kilobytes", &Problem::kilobytes}, {"text", &Problem::text}, {"is_phi2", &Problem::is_phi2}};

  static Args make(const Problem& problem, Arena& arena);
  static Cost cost(const Problem& problem);
  /// 50 MB/s.
  static double nominal_seconds(const Problem& problem) { return 2e-5 * problem.kilobytes; }
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::vector<Problem> odd_problems();
  /// ref merges every piece by looking through all its pairs again and again, in an ordered map; bpe is the
  /// tokenizer that runs, with as many threads as the team has.
  static std::span<const Variant> variants();
};

/// From token back to bytes.
struct BaseDecode : BaseEncode {
  static constexpr std::string_view name = "adaptivocab/base_decode";
  static Args make(const Problem& problem, Arena& arena);
  static Check check(const Problem& problem, const Args& got, const Args& want);
  static std::span<const Variant> variants();  ///< ref (a token at a time), bpe
};

using TokenizerOps = std::tuple<BaseEncode, BaseDecode>;

}  // namespace trisect::microbench
