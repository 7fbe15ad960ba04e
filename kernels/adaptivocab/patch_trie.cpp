#include "kernels/adaptivocab/patch_trie.hpp"

#include <bit>

#include "kernels/core/error.hpp"

namespace trisect::adaptivocab {

PatchTrie::PatchTrie(const View& patterns, int vocab) : first_(static_cast<std::size_t>(vocab), kNone) {
  const auto transitions = static_cast<std::uint64_t>(patterns.rows * patterns.cols);
  const int bits = std::max(4, static_cast<int>(std::bit_width(2 * transitions)));
  shift_ = 64 - bits;
  slots_.resize(std::size_t{1} << bits);
  for (std::int64_t r = 0; r < patterns.rows; ++r) {
    const std::int32_t* row = patterns.row<std::int32_t>(r);
    const std::int32_t* end = std::find(row, row + patterns.cols, -1);
    if (end - row < 2) usage_error("pattern {} has fewer than two tokens", r);
    if (const auto* bad = std::find_if(row, end, [vocab](std::int32_t id) { return id < 0 || id >= vocab; });
        bad != end) {
      usage_error("pattern {} has token id {}, outside the vocabulary of {}", r, *bad, vocab);
    }
    std::int32_t& first = first_[static_cast<std::size_t>(row[0])];
    if (first == kNone) first = new_node();
    std::int32_t node = first;
    for (const std::int32_t* id = row + 1; id != end; ++id) {
      const std::uint64_t wanted = key(node, *id);
      const std::size_t at = slot(wanted);
      if (slots_[at].node == kNone) slots_[at] = {wanted, new_node()};
      node = slots_[at].node;
    }
    if (pattern_[static_cast<std::size_t>(node)] == kNone) {
      pattern_[static_cast<std::size_t>(node)] = static_cast<std::int32_t>(r);
    }
    length_.push_back(static_cast<std::int32_t>(end - row));
    longest_ = std::max(longest_, length_.back());
  }
}

std::int32_t PatchTrie::new_node() {
  pattern_.push_back(kNone);
  return static_cast<std::int32_t>(pattern_.size()) - 1;
}

}  // namespace trisect::adaptivocab
