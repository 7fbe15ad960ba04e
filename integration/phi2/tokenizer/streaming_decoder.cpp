#include "integration/phi2/tokenizer/streaming_decoder.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "integration/phi2/tokenizer/utf8.hpp"

namespace trisect::phi2 {
namespace {

/// Length of the unfinished character at the end of `text`.
std::size_t unfinished(std::string_view text) {
  for (std::size_t length = std::min<std::size_t>(3, text.size()); length > 0; --length) {
    if (first_sequence(text.substr(text.size() - length)).truncated) return length;
  }
  return 0;
}

}  // namespace

std::string StreamingDecoder::next(TokenId id) {
  pending_ += tokenizer_.decode({&id, 1});
  const std::size_t complete = pending_.size() - unfinished(pending_);
  std::string text = pending_.substr(0, complete);
  pending_.erase(0, complete);
  return text;
}

std::string StreamingDecoder::flush() { return std::exchange(pending_, {}); }

}  // namespace trisect::phi2
