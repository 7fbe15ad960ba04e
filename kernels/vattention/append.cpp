#include "kernels/vattention/append.hpp"

#include <algorithm>

#include "kernels/vattention/append_cuda.hpp"

namespace trisect::vattention {
namespace {

std::byte* place(const Append::Args& args, const std::byte* base, int row) {
  return const_cast<std::byte*>(base) +
         args.kv.offset(args.slot.row<std::int32_t>()[row], args.position.row<std::int32_t>()[row]);
}

int pages_of_slot(const Append::Problem& p) { return (p.context + p.page - 1) / p.page; }

Availability is_wide_or_bf16(const Append::Problem& problem) {
  return {problem.dtype == Dtype::kF16 ? "f16 is left to the plain variant" : ""};
}

}  // namespace

void append_ref(const Append::Problem& problem, const Append::Args& args) {
  for (int r = 0; r < problem.rows; ++r) {
    for (const auto& [from, base] : {std::pair{args.keys, args.kv.k}, {args.values, args.kv.v}}) {
      for (std::int64_t i = 0; i < from.cols; ++i) {
        const float value = from.row<float>(r)[i];
        std::byte* to = place(args, base, r) + i * static_cast<std::int64_t>(size_of(args.kv.dtype));
        if (args.kv.dtype == Dtype::kBf16) *reinterpret_cast<bf16*>(to) = to_bf16(value);
        if (args.kv.dtype == Dtype::kF16) *reinterpret_cast<f16*>(to) = to_f16(value);
        if (args.kv.dtype == Dtype::kF32) *reinterpret_cast<float*>(to) = value;
      }
    }
  }
}

void append_cpu(const Append::Problem& problem, const Append::Args& args) {
#pragma omp parallel for schedule(static) if (problem.rows > 1)
  for (int r = 0; r < problem.rows; ++r) {
    const auto width = static_cast<std::size_t>(args.keys.cols);
    convert(args.keys.row<float>(r), Dtype::kF32, place(args, args.kv.k, r), args.kv.dtype, width);
    convert(args.values.row<float>(r), Dtype::kF32, place(args, args.kv.v, r), args.kv.dtype, width);
  }
}

Append::Args Append::make(const Problem& p, Arena& arena) {
  const std::int64_t width = std::int64_t{1} * p.heads * p.head_dim;
  const int pages = pages_of_slot(p);
  std::vector<std::int32_t> slot, position, table;
  for (int r = 0; r < p.rows; ++r) {
    slot.push_back(r);
    position.push_back(std::max(p.context - 1 - r, 0));
  }
  for (int i = 0; i < p.rows * pages; ++i) table.push_back(p.rows * pages - 1 - i);
  const std::int64_t token = width * static_cast<std::int64_t>(size_of(p.dtype));
  Args args{.keys = arena.input(Dtype::kF32, p.rows, width),
            .values = arena.input(Dtype::kF32, p.rows, width),
            .slot = arena.integers(slot),
            .position = arena.integers(position),
            .kv = {},
            .k = arena.output(p.dtype, std::int64_t{p.rows} * pages * p.page, width),
            .v = arena.output(p.dtype, std::int64_t{p.rows} * pages * p.page, width)};
  args.kv = {.k = args.k.byte_row(0),
             .v = args.v.byte_row(0),
             .slot = p.page * token,
             .token = token,
             .dtype = p.dtype};
  if (pages > 1) {
    args.kv.table = arena.integers(table).row<std::int32_t>();
    args.kv.table_stride = pages;
    args.kv.page_tokens = p.page;
  }
  return args;
}

Cost Append::cost(const Problem& p) {
  const double values = 2.0 * p.rows * p.heads * p.head_dim;
  return {4 * values + 8 * p.rows, static_cast<double>(size_of(p.dtype)) * values, 0};
}

Check Append::check(const Problem&, const Args& got, const Args& want) {
  return worse(check_equal(got.k, want.k), check_equal(got.v, want.v));
}

std::vector<Append::Problem> Append::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kBf16, Dtype::kF16, Dtype::kF32}) {
    problems.push_back({1, 1, 1, 1, 1, type});
    problems.push_back({3, 40, 40, 3, 33, type});
    problems.push_back({5, 40, 16, 2, 80, type});
    problems.push_back({64, 5, 2, 1, 47, type});
  }
  return problems;
}

std::span<const Append::Variant> Append::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = append_ref},
      {.name = "cpu", .run = append_cpu},
      {.name = "cpu_simd", .available = is_wide_or_bf16, .run = append_simd},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, append_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::vattention
