// What the engine knows of a tokenizer: text to ids and back. A patched vocabulary is another implementation.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trisect::phi2 {

using TokenId = std::int32_t;

/// Immutable once made: any number of threads may use one.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Any bytes are good input; nothing is added before or after.
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;

  /// The bytes of the tokens, one after the other: decode(a + b) = decode(a) + decode(b). They need not be
  /// whole characters (StreamingDecoder). Error(kUsage) for an id outside 0..size()-1.
  virtual std::string decode(std::span<const TokenId> ids) const = 0;

  /// The ids in use are 0..size()-1; a model's table may have more rows, which are padding.
  virtual int size() const = 0;

  /// `<|endoftext|>`, where the vocabulary has it.
  virtual std::optional<TokenId> end_of_text() const = 0;
};

}  // namespace trisect::phi2
