#include "integration/phi2/tokenizer/bpe.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

namespace trisect::phi2 {

MergeRanks::MergeRanks(std::span<const Merge> merges)
    : shift_(63 - static_cast<int>(std::bit_width(merges.size()))),
      slots_(std::size_t{1} << (64 - shift_)) {
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::uint64_t pair = key(merges[i].left, merges[i].right);
    slots_[slot(pair)] = {pair, static_cast<std::uint32_t>(i)};
  }
}

std::size_t MergeRanks::slot(std::uint64_t key) const {
  std::size_t i = key * 0x9e3779b97f4a7c15u >>
                  shift_; // Fibonacci hashing: the upper bits are well mixed
  while (slots_[i].rank != kNone && slots_[i].key != key)
    i = (i + 1) & (slots_.size() - 1);
  return i;
}

Bpe::Bpe(TokensByBytes tokens, std::span<const Merge> merges,
         bool ignore_merges)
    : ranks_(merges), short_(tokens.size()) {
  for (std::size_t b = 0; b < byte_token_.size(); ++b) {
    byte_token_[b] = tokens.at(std::string(1, static_cast<char>(b)));
  }
  merged_.reserve(merges.size());
  for (const Merge &m : merges)
    merged_.push_back(m.merged);
  Scratch scratch;
  std::vector<TokenId> ids;
  const auto is_reached = [&](const auto &token) {
    ids.clear();
    merge(token.first, scratch, ids);
    return ids.size() == 1 && ids[0] == token.second;
  };
  for (auto &token : tokens) {
    if (token.first.empty() || (!ignore_merges && !is_reached(token)))
      continue;
    if (token.first.size() <= PieceTable::kLongest) {
      short_.insert(token.first, token.second);
    } else {
      long_.insert(token);
    }
  }
}

TokenId Bpe::find(std::string_view piece) const {
  if (piece.size() <= PieceTable::kLongest)
    return short_.find(piece);
  const auto found = long_.find(piece);
  return found == long_.end() ? PieceTable::kNone : found->second;
}

void Bpe::encode(std::string_view piece, Scratch &scratch,
                 std::vector<TokenId> &out) const {
  if (const TokenId whole = find(piece); whole != PieceTable::kNone) {
    out.push_back(whole);
  } else if (piece.size() <= kShort) {
    merge_short(piece, out);
  } else {
    merge(piece, scratch, out);
  }
}

void Bpe::merge_short(std::string_view piece, std::vector<TokenId> &out) const {
  std::array<TokenId, kShort> id;
  std::array<std::uint32_t, kShort>
      rank; // of the pair that begins there; one less than there are tokens
  std::size_t count = piece.size();
  for (std::size_t i = 0; i < count; ++i)
    id[i] = byte_token_[static_cast<unsigned char>(piece[i])];
  for (std::size_t i = 0; i + 1 < count; ++i)
    rank[i] = ranks_.find(id[i], id[i + 1]);
  while (count > 1) {
    const auto best = static_cast<std::size_t>(
        std::min_element(rank.begin(), rank.begin() + count - 1) -
        rank.begin());
    if (rank[best] == MergeRanks::kNone)
      break;
    id[best] = merged_[rank[best]];
    std::copy(id.begin() + best + 2, id.begin() + count, id.begin() + best + 1);
    if (best + 2 < count)
      std::copy(rank.begin() + best + 1, rank.begin() + count - 1,
                rank.begin() + best);
    --count;
    if (best + 1 < count)
      rank[best] = ranks_.find(id[best], id[best + 1]);
    if (best > 0)
      rank[best - 1] = ranks_.find(id[best - 1], id[best]);
  }
  out.insert(out.end(), id.begin(), id.begin() + count);
}

void Bpe::merge(std::string_view piece, Scratch &scratch,
                std::vector<TokenId> &out) const {
  auto &symbols = scratch.symbols;
  auto &heap = scratch.heap; // rank in the upper half, position in the lower:
                             // the least comes first
  const auto count = static_cast<std::uint32_t>(piece.size());
  symbols.resize(count);
  heap.clear();
  for (std::uint32_t i = 0; i < count; ++i) {
    symbols[i] = {byte_token_[static_cast<unsigned char>(piece[i])], i - 1,
                  i + 1, MergeRanks::kNone};
  }
  const auto rank_of = [&](std::uint32_t i) {
    auto &symbol = symbols[i];
    symbol.rank = symbol.next < count
                      ? ranks_.find(symbol.id, symbols[symbol.next].id)
                      : MergeRanks::kNone;
    if (symbol.rank == MergeRanks::kNone)
      return false;
    heap.push_back(static_cast<std::uint64_t>(symbol.rank) << 32 | i);
    return true;
  };
  for (std::uint32_t i = 0; i < count; ++i)
    rank_of(i);
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto lowest = static_cast<std::uint32_t>(heap.back() >> 32);
    const auto i = static_cast<std::uint32_t>(heap.back());
    heap.pop_back();
    auto &symbol = symbols[i];
    if (symbol.rank != lowest)
      continue; // a neighbour's merge has overtaken this one
    auto &absorbed = symbols[symbol.next];
    symbol.id = merged_[lowest];
    symbol.next = absorbed.next;
    absorbed.rank = MergeRanks::kNone;
    if (symbol.next < count)
      symbols[symbol.next].previous = i;
    if (rank_of(i))
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    if (i > 0 && rank_of(symbol.previous))
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
  }
  for (std::uint32_t i = 0; i < count; i = symbols[i].next)
    out.push_back(symbols[i].id);
}

} // namespace trisect::phi2
