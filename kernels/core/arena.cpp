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

/// The view that the current mode asks for; on the device, of a mirror made when it is first asked for.
View Arena::answer(Block& block) {
  if (!on_device_) return block.view;
  if (block.mirror == nullptr) {
    block.mirror = std::shared_ptr<std::byte>(static_cast<std::byte*>(device_->allocate(block.buffer.bytes())),
                                              [memory = device_](std::byte* data) { memory->release(data); });
    device_->upload(block.mirror.get(), block.buffer.data(), block.buffer.bytes());
  }
  return View(block.mirror.get() + kGuard, block.view.dtype, block.view.rows, block.view.cols);
}

void Arena::refill(Block& block) {
  block.poisoned ? poison(block.view) : fill_normal(block.view, block.seed, block.stddev);
  if (block.mirror != nullptr) device_->upload(block.mirror.get() + kGuard, block.view.data, block.view.bytes());
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
  return answer(blocks[next_input_++]);
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
  return answer(blocks[next_weight_++]);
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
  Block& block = blocks[next_output_++];
  refill(block);
  return answer(block);
}

View Arena::output(Dtype type, std::int64_t rows, std::int64_t cols) {
  return take_output(type, rows, cols, true, 0);
}

View Arena::inout(Dtype type, std::int64_t rows, std::int64_t cols, float stddev) {
  return take_output(type, rows, cols, false, stddev);
}

void Arena::begin_copy() {
  on_device_ = false;
  inputs_.emplace_back();
  weights_.emplace_back();
  copy_ = weights_.size() - 1;
  output_set_ = next_input_ = next_weight_ = next_output_ = 0;
}

void Arena::begin_reference(std::size_t copy, std::size_t set) {
  on_device_ = false;
  output_set_ = 1 + set;
  if (outputs_.size() <= output_set_) outputs_.resize(output_set_ + 1);
  copy_ = copy;
  next_input_ = next_weight_ = next_output_ = 0;
}

void Arena::begin_device(std::size_t copy, DeviceMemory& memory) {
  device_ = &memory;
  on_device_ = true;
  copy_ = copy;
  output_set_ = next_input_ = next_weight_ = next_output_ = 0;
}

void Arena::reset_outputs() {
  for (Block& block : outputs_[0]) refill(block);
}

void Arena::fetch_outputs() {
  for (Block& block : outputs_[0]) {
    if (block.mirror != nullptr) device_->download(block.view.data, block.mirror.get() + kGuard, block.view.bytes());
  }
}

std::string Arena::damage_of(const Block& block, bool constant) const {
  const auto guards_intact = [&](const std::byte* begin) {
    const auto is_guard = [](std::byte b) { return b == kGuardByte; };
    const std::byte* end = begin + kGuard + block.view.bytes();
    return std::all_of(begin, begin + kGuard, is_guard) && std::all_of(end, end + kGuard, is_guard);
  };
  if (!guards_intact(block.buffer.data())) return "wrote outside";
  if (constant && hash_of(block.view) != block.hash) return "changed";
  if (block.mirror == nullptr) return "";
  Buffer mirror(block.buffer.bytes());
  device_->download(mirror.data(), block.mirror.get(), mirror.bytes());
  if (!guards_intact(mirror.data())) return "wrote outside";
  const bool same = std::memcmp(mirror.data() + kGuard, block.view.data, block.view.bytes()) == 0;
  return constant && !same ? "changed" : "";
}

std::string Arena::damage() const {
  const auto scan = [&](const Blocks& blocks, std::string_view kind, bool constant) -> std::string {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const std::string what = damage_of(blocks[i], constant);
      if (!what.empty()) return fmt::format("{} {} {}", what, kind, i);
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
