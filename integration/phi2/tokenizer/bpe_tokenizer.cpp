#include "integration/phi2/tokenizer/bpe_tokenizer.hpp"

#include <omp.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "integration/phi2/tokenizer/splitter.hpp"
#include "integration/phi2/tokenizer/tokenizer_file.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

constexpr std::size_t kMaxText = std::numeric_limits<std::int32_t>::max() - 1;
constexpr std::size_t kPart = 1 << 16; // bytes that a thread takes at a time

/// Between a printable ASCII character and a blank: no piece goes on there,
/// since a blank only ever begins one.
bool is_cut(std::string_view text, std::size_t at) {
  return text[at] == ' ' && text[at - 1] > ' ' && text[at - 1] < 0x7f;
}

/// Appends the ids of the tokens in `text` to `out` and hands what lies between
/// them to `rest`, in order.
template <class Rest>
void cut_out(const TokenTrie &tokens, std::string_view text,
             std::vector<TokenId> &out, const Rest &rest) {
  while (!text.empty()) {
    const auto match = tokens.find(text);
    if (const std::size_t before = match ? match->begin : text.size();
        before > 0)
      rest(text.substr(0, before));
    if (!match)
      return;
    out.push_back(match->id);
    text.remove_prefix(match->begin + match->length);
  }
}

} // namespace

std::unique_ptr<BpeTokenizer>
BpeTokenizer::load(const std::filesystem::path &tokenizer_json) {
  return from(read_tokenizer_file(tokenizer_json));
}

std::unique_ptr<BpeTokenizer> BpeTokenizer::from(TokenizerFile file) {
  return std::unique_ptr<BpeTokenizer>(new BpeTokenizer(std::move(file)));
}

BpeTokenizer::BpeTokenizer(TokenizerFile file)
    : bytes_(std::move(file.bytes)),
      bpe_(std::move(file.vocab), file.merges, file.ignore_merges),
      add_prefix_space_(file.add_prefix_space), use_regex_(file.use_regex),
      can_be_cut_(file.use_regex) {
  for (const AddedToken &token : file.added_tokens) {
    for (std::size_t at = 1; at < token.content.size(); ++at)
      can_be_cut_ &= !is_cut(token.content, at);
    (token.normalized ? added_normalized_ : added_)
        .insert(token.content, token.id);
  }
  const auto end = std::find(bytes_.begin(), bytes_.end(), "<|endoftext|>");
  if (end != bytes_.end())
    end_of_text_ = static_cast<TokenId>(end - bytes_.begin());
}

std::vector<TokenId> BpeTokenizer::encode(std::string_view text) const {
  if (text.size() > kMaxText)
    usage_error("a text of {} bytes is too long: at most {} can be encoded",
                text.size(), kMaxText);
  if (!can_be_cut_ || text.size() < 2 * kPart || omp_get_max_threads() == 1)
    return encode_part(text);
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = end_of_part(text, begin);
    parts.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  std::vector<std::vector<TokenId>> encoded(parts.size());
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < parts.size(); ++i)
    encoded[i] = encode_part(parts[i]);
  std::vector<TokenId> ids;
  std::size_t count = 0;
  for (const auto &part : encoded)
    count += part.size();
  ids.reserve(count);
  for (const auto &part : encoded)
    ids.insert(ids.end(), part.begin(), part.end());
  return ids;
}

std::size_t BpeTokenizer::end_of_part(std::string_view text,
                                      std::size_t begin) const {
  for (std::size_t at = begin + kPart; at < text.size(); ++at) {
    if (is_cut(text, at))
      return at;
  }
  return text.size();
}

std::vector<TokenId> BpeTokenizer::encode_part(std::string_view text) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3);
  Bpe::Scratch scratch;
  cut_out(added_, text, ids, [&](std::string_view rest) {
    cut_out(added_normalized_, rest, ids,
            [&](std::string_view plain) { encode_plain(plain, scratch, ids); });
  });
  return ids;
}

void BpeTokenizer::encode_plain(std::string_view text, Bpe::Scratch &scratch,
                                std::vector<TokenId> &out) const {
  std::string prefixed;
  if (add_prefix_space_ && text[0] != ' ') {
    prefixed.append(" ").append(text);
    text = prefixed;
  }
  while (!text.empty()) {
    const std::size_t length = use_regex_ ? first_piece(text) : text.size();
    bpe_.encode(text.substr(0, length), scratch, out);
    text.remove_prefix(length);
  }
}

std::string BpeTokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  for (const TokenId id : ids) {
    if (id < 0 || id >= size())
      usage_error("token id {} is out of range: the tokenizer has 0 to {}", id,
                  size() - 1);
    text += bytes_[static_cast<std::size_t>(id)];
  }
  return text;
}

} // namespace trisect::phi2
