#include "kernels/core/arena.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/core/error.hpp"

namespace trisect {
namespace {

constexpr std::byte kGuardByte{0xa5};
constexpr std::size_t kMaxArrays = 64;  // of one kind in one copy: keeps their seeds apart

void set(const View& view, std::int64_t r, std::int64_t c, float value) {
  if (view.dtype == Dtype::kF32) view.row<float>(r)[c] = value;
  if (view.dtype == Dtype::kBf16) view.row<bf16>(r)[c] = to_bf16(value);
  if (view.dtype == Dtype::kF16) view.row<f16>(r)[c] = to_f16(value);
}

void fill_ties(const View& view, Seed seed) {
  constexpr float kValues[] = {0.0f, -0.0f, 1.0f, -1.0f, 1.0f, 2.0f, -2.0f};
  for (std::int64_t r = 0; r < view.rows; ++r) {
    for (std::int64_t c = 0; c < view.cols; ++c) {
      set(view, r, c, kValues[random_bits(seed, static_cast<std::uint64_t>(r * view.cols + c)) % std::size(kValues)]);
    }
  }
}

void fill_special(const View& view, Seed seed) {
  using Limits = std::numeric_limits<float>;
  constexpr float kValues[] = {0.0f, -0.0f, Limits::denorm_min(), -Limits::denorm_min(), Limits::max(),
                               Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), -Limits::quiet_NaN()};
  fill_normal(view, seed, 1.0f);
  for (std::int64_t r = 0; r < view.rows; ++r) {
    for (std::int64_t c = 0; c < view.cols; ++c) {
      const std::uint64_t bits = random_bits(seed, ~static_cast<std::uint64_t>(r * view.cols + c));
      if (bits % 8 == 0) set(view, r, c, kValues[bits / 8 % std::size(kValues)]);
    }
  }
}

void fill_view(const View& view, Seed seed, Fill fill, float stddev) {
  switch (fill) {
    case Fill::kNormal: return fill_normal(view, seed, stddev);
    case Fill::kUniform: return fill_uniform(view, seed, stddev);
    case Fill::kTies: return fill_ties(view, seed);
    case Fill::kSpecial: return fill_special(view, seed);
    case Fill::kZero: std::memset(view.data, 0, view.bytes());
  }
}

void poison(const View& view) { std::memset(view.data, 0xff, view.bytes()); }

std::uint64_t hash_of(const View& view) {
  const std::size_t words = view.bytes() / 8;
  const auto* data = static_cast<const std::byte*>(view.data);
  std::uint64_t sum = 0;
#pragma omp parallel for reduction(+ : sum) schedule(static)
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t word;
    std::memcpy(&word, data + 8 * i, 8);
    sum += (word ^ i) * 0x9e3779b97f4a7c15u;
  }
  for (std::size_t i = words * 8; i < view.bytes(); ++i) sum = sum * 31 + static_cast<std::uint64_t>(data[i]);
  return sum;
}

}  // namespace

Arena::Block Arena::allocate(Dtype type, std::int64_t rows, std::int64_t cols) {
  Block block;
  const std::size_t bytes = static_cast<std::size_t>(rows * cols) * size_of(type);
  block.buffer = Buffer(bytes + 2 * kGuard);
  block.view = View(block.buffer.data() + kGuard, type, rows, cols);
  std::fill_n(block.buffer.data(), kGuard, kGuardByte);
  std::fill_n(block.buffer.data() + kGuard + bytes, kGuard, kGuardByte);
  return block;
}

template <class Generate>
View Arena::take_input(Dtype type, std::int64_t rows, std::int64_t cols, Generate generate) {
  Blocks& blocks = inputs_[copy_];
  if (next_input_ == blocks.size()) {
    Block block = allocate(type, rows, cols);
    generate(block.view, derive(seed_, kMaxArrays * copy_ + next_input_));
    block.hash = hash_of(block.view);
    if (copy_ == 0) input_bytes_ += block.view.bytes();
    blocks.push_back(std::move(block));
  }
  return blocks[next_input_++].view;
}

View Arena::input(Dtype type, std::int64_t rows, std::int64_t cols, Fill fill, float stddev) {
  return take_input(type, rows, cols, [&](const View& view, Seed seed) { fill_view(view, seed, fill, stddev); });
}

View Arena::indices(std::int64_t rows, std::int64_t cols, int limit) {
  return take_input(Dtype::kI32, rows, cols, [&](const View& view, Seed seed) {
    std::int32_t* values = static_cast<std::int32_t*>(view.data);
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      values[i] = static_cast<std::int32_t>(random_bits(seed, static_cast<std::uint64_t>(i)) %
                                            static_cast<std::uint64_t>(limit));
    }
  });
}

View Arena::subset(std::int64_t rows, std::int64_t cols, int limit) {
  return take_input(Dtype::kI32, rows, cols, [&](const View& view, Seed seed) {
    for (std::int64_t r = 0; r < rows; ++r) {
      std::int32_t* row = static_cast<std::int32_t*>(view.data) + r * cols;
      std::int64_t taken = 0;  // Knuth's selection sampling: each candidate with the chance that keeps the count exact
      for (std::int64_t i = 0; i < limit && taken < cols; ++i) {
        const float chance = static_cast<float>(cols - taken) / static_cast<float>(limit - i);
        if (random_unit(seed, static_cast<std::uint64_t>(r * limit + i)) < chance) {
          row[taken++] = static_cast<std::int32_t>(i);
        }
      }
    }
  });
}

View Arena::integers(std::span<const std::int32_t> values) {
  return take_input(Dtype::kI32, 1, static_cast<std::int64_t>(values.size()), [&](const View& view, Seed) {
    std::copy(values.begin(), values.end(), static_cast<std::int32_t*>(view.data));
  });
}

View Arena::weight(Dtype type, std::int64_t rows, std::int64_t cols, float stddev) {
  Blocks& blocks = weights_[copy_];
  if (next_weight_ == blocks.size()) {
    Block block = allocate(type, rows, cols);
    fill_uniform(block.view, derive(~seed_, kMaxArrays * copy_ + next_weight_), stddev);
    block.hash = hash_of(block.view);
    if (copy_ == 0) weight_bytes_ += block.view.bytes();
    blocks.push_back(std::move(block));
  }
  return blocks[next_weight_++].view;
}

View Arena::take_output(Dtype type, std::int64_t rows, std::int64_t cols, bool poisoned, float stddev) {
  Blocks& blocks = outputs_[output_set_];
  if (next_output_ == blocks.size()) {
    Block block = allocate(type, rows, cols);
    block.seed = derive(seed_ + 1, next_output_);
    block.poisoned = poisoned;
    block.stddev = stddev;
    blocks.push_back(std::move(block));
  }
  const Block& block = blocks[next_output_++];
  block.poisoned ? poison(block.view) : fill_normal(block.view, block.seed, block.stddev);
  return block.view;
}

View Arena::output(Dtype type, std::int64_t rows, std::int64_t cols) {
  return take_output(type, rows, cols, true, 0);
}

View Arena::inout(Dtype type, std::int64_t rows, std::int64_t cols, float stddev) {
  return take_output(type, rows, cols, false, stddev);
}

void Arena::begin_copy() {
  inputs_.emplace_back();
  weights_.emplace_back();
  copy_ = weights_.size() - 1;
  output_set_ = next_input_ = next_weight_ = next_output_ = 0;
}

void Arena::begin_reference(std::size_t copy, std::size_t set) {
  output_set_ = 1 + set;
  if (outputs_.size() <= output_set_) outputs_.resize(output_set_ + 1);
  copy_ = copy;
  next_input_ = next_weight_ = next_output_ = 0;
}

void Arena::reset_outputs() {
  for (const Block& block : outputs_[0]) {
    block.poisoned ? poison(block.view) : fill_normal(block.view, block.seed, block.stddev);
  }
}

std::string Arena::damage() const {
  const auto guards_intact = [](const Block& block) {
    const auto is_guard = [](std::byte b) { return b == kGuardByte; };
    const std::byte* begin = block.buffer.data();
    return std::all_of(begin, begin + kGuard, is_guard) &&
           std::all_of(begin + kGuard + block.view.bytes(), begin + 2 * kGuard + block.view.bytes(), is_guard);
  };
  const auto scan = [&](const Blocks& blocks, std::string_view kind, bool constant) -> std::string {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (!guards_intact(blocks[i])) return fmt::format("wrote outside {} {}", kind, i);
      if (constant && hash_of(blocks[i].view) != blocks[i].hash) return fmt::format("changed {} {}", kind, i);
    }
    return "";
  };
  std::string found;
  for (std::size_t copy = 0; copy < weights_.size(); ++copy) {
    if (found.empty()) found = scan(inputs_[copy], "input", true);
    if (found.empty()) found = scan(weights_[copy], "weight", true);
  }
  for (const Blocks& blocks : outputs_) {
    if (found.empty()) found = scan(blocks, "output", false);
  }
  return found;
}

}  // namespace trisect
