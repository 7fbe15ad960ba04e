// Text from ids that arrive one at a time, never half a character.
#pragma once

#include <string>

#include "integration/phi2/tokenizer/tokenizer.hpp"

namespace trisect::phi2 {

/// All that next() and flush() return, put together, is exactly what Tokenizer::decode makes of the same ids.
/// Bytes that cannot become a character are passed on as they are.
class StreamingDecoder {
 public:
  /// Keeps a reference.
  explicit StreamingDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  /// The text that `id` completes; up to three bytes of an unfinished character stay behind.
  std::string next(TokenId id);

  /// What stayed behind; the decoder is as new after it.
  std::string flush();

 private:
  const Tokenizer& tokenizer_;
  std::string pending_;
};

}  // namespace trisect::phi2
