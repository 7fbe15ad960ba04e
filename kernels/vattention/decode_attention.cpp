#include "kernels/vattention/decode_attention.hpp"

#include <algorithm>
#include <numeric>

#include "kernels/dense/onednn.hpp"
#include "kernels/dense/onednn_attention.hpp"
#include "kernels/vattention/decode_attention_cuda.hpp"

namespace trisect::vattention {
namespace {

using Problem = DecodeAttention::Problem;
using Args = DecodeAttention::Args;

int pages_of_slot(const Problem& p) {
  return (p.context + DecodeAttention::kPageTokens - 1) / DecodeAttention::kPageTokens;
}

std::vector<std::int32_t> positions_of(const Problem& p) {
  std::vector<std::int32_t> position;
  for (int s = 0; s < p.batch; ++s) {
    position.push_back(p.context - static_cast<int>(std::int64_t{s} * p.context / (2 * p.batch)) - 1);
  }
  return position;
}

/// All pages of the pool in random order: Fisher and Yates' shuffle.
std::vector<std::int32_t> scattered(int pages) {
  std::vector<std::int32_t> table(static_cast<std::size_t>(pages));
  std::iota(table.begin(), table.end(), 0);
  for (std::size_t i = table.size(); i > 1; --i) std::swap(table[i - 1], table[random_bits(5, i) % i]);
  return table;
}

template <auto Kernel, dense::KvSpan Args::*Layout>
void run(const Problem& p, const Args& args) {
  Kernel({p.batch, p.batch, p.context, p.heads, p.head_dim, p.dtype},
         {args.q, args.slot, args.position, args.out, args.*Layout});
}

using OnednnSlots = std::vector<dense::OnednnAttention>;

std::shared_ptr<void> compile_onednn(const Problem& p, const Args& args) {
  auto slots = std::make_shared<OnednnSlots>();
  for (const std::int32_t last : positions_of(p))
    slots->emplace_back(args.layer, p.heads, p.head_dim, last + 1);
  return slots;
}

void run_onednn(const Problem& p, const Args& args) {
  const OnednnSlots& slots = *static_cast<const OnednnSlots*>(args.prepared.get());
  for (int s = 0; s < p.batch; ++s) {
    const std::int64_t first = args.layer.offset(s, 0);
    slots[static_cast<std::size_t>(s)].run(args.q.row<float>(s), args.layer.k + first, args.layer.v + first,
                                           args.out.row<float>(s));
  }
}

}  // namespace

Args DecodeAttention::make(const Problem& p, Arena& arena) {
  const std::int64_t width = std::int64_t{1} * p.heads * p.head_dim;
  const int pages = p.batch * pages_of_slot(p);
  const std::vector<std::int32_t> slot = [&] {
    std::vector<std::int32_t> each(static_cast<std::size_t>(p.batch));
    std::iota(each.begin(), each.end(), 0);
    return each;
  }();
  const View q = arena.input(Dtype::kF32, p.batch, width);
  const View k = arena.weight(p.dtype, std::int64_t{pages} * kPageTokens, p.layers * width, 1),
             v = arena.weight(p.dtype, std::int64_t{pages} * kPageTokens, p.layers * width, 1);
  const View table = arena.integers(scattered(pages));
  const std::int64_t row = width * static_cast<std::int64_t>(size_of(p.dtype)), token = p.layers * row;
  const std::int64_t layer = p.layers / 2;
  return {.q = q,
          .slot = arena.integers(slot),
          .position = arena.integers(positions_of(p)),
          .out = arena.output(Dtype::kF32, p.batch, width),
          .contiguous = {.k = k.byte_row(0) + layer * row,
                         .v = v.byte_row(0) + layer * row,
                         .slot = pages_of_slot(p) * kPageTokens * token,
                         .token = token,
                         .dtype = p.dtype},
          .runs = {.k = k.byte_row(0) + layer * kRunTokens * row,
                   .v = v.byte_row(0) + layer * kRunTokens * row,
                   .slot = pages_of_slot(p) * kPageTokens * token,
                   .token = row,
                   .dtype = p.dtype,
                   .page_tokens = kRunTokens,
                   .page = kRunTokens * token},
          .paged = {.k = k.byte_row(0) + layer * kPageTokens * row,
                    .v = v.byte_row(0) + layer * kPageTokens * row,
                    .slot = kPageTokens * token,
                    .token = row,
                    .dtype = p.dtype,
                    .table = table.row<std::int32_t>(),
                    .table_stride = pages_of_slot(p),
                    .page_tokens = kPageTokens},
          .layer = {.k = k.byte_row(0) + layer * pages_of_slot(p) * kPageTokens * row,
                    .v = v.byte_row(0) + layer * pages_of_slot(p) * kPageTokens * row,
                    .slot = pages_of_slot(p) * kPageTokens * token,
                    .token = row,
                    .dtype = p.dtype},
          .prepared = nullptr};
}

Cost DecodeAttention::cost(const Problem& p) {
  const double width = double{1} * p.heads * p.head_dim;
  double keys = 0;
  for (const std::int32_t last : positions_of(p)) keys += last + 1;
  return {2 * keys * width * static_cast<double>(size_of(p.dtype)) + 4 * p.batch * (width + 2),
          4 * p.batch * width, 4 * keys * width};
}

Check DecodeAttention::check(const Problem&, const Args& got, const Args& want) {
  return check_close(got.out, want.out, 1e-5);
}

std::vector<Problem> DecodeAttention::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kBf16, Dtype::kF16, Dtype::kF32}) {
    problems.push_back({1, 1, 1, 1, 1, type});
    problems.push_back({1, 700, 2, 4, 80, type});
    problems.push_back({3, 65, 3, 3, 33, type});
    problems.push_back({64, 130, 1, 2, 64, type});
    problems.push_back({7, 300, 2, 1, 47, type});
  }
  return problems;
}

std::span<const DecodeAttention::Variant> DecodeAttention::variants() {
  constexpr auto kRef = run<dense::attention_ref, &Args::contiguous>;
  constexpr auto kRefPaged = run<dense::attention_ref, &Args::paged>;
  constexpr auto kRefRuns = run<dense::attention_ref, &Args::runs>;
  constexpr auto kRefLayer = run<dense::attention_ref, &Args::layer>;
  static const Variant cpu[] = {
      {.name = "ref", .run = kRef},
      {.name = "ref_paged", .run = kRefPaged, .ref = kRefPaged},
      {.name = "ref_runs", .run = kRefRuns, .ref = kRefRuns},
      {.name = "ref_layer", .run = kRefLayer, .ref = kRefLayer},
      {.name = "onednn_layer",
       .available = [](const Problem& p) { return dense::onednn_supports(p.dtype); },
       .run = run_onednn,
       .ref = kRefLayer,
       .prepare = compile_onednn},
      {.name = "cpu_layer", .run = run<dense::attention_cpu_rows, &Args::layer>, .ref = kRefLayer},
      {.name = "cpu_interleaved", .run = run<dense::attention_cpu_rows, &Args::contiguous>},
      {.name = "cpu_paged", .run = run<dense::attention_cpu_rows, &Args::paged>, .ref = kRefPaged},
      {.name = "cpu_contiguous", .run = run<dense::attention_cpu_rows, &Args::runs>, .ref = kRefRuns},
  };
  if constexpr (kCudaBuild) {
    static const auto all = joined<Variant>(cpu, decode_attention_cuda_variants(kRefPaged));
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::vattention
