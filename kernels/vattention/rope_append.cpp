#include "kernels/vattention/rope_append.hpp"

#include "kernels/dense/rope.hpp"

namespace trisect::vattention {
namespace {

struct Parts {
  dense::Rope::Problem rope;
  dense::Rope::Args rope_args;
  Append::Problem append;
  Append::Args append_args;
};

Parts parts_of(const RopeAppend::Problem& p, const RopeAppend::Args& a) {
  const std::int64_t width = a.values.cols;
  return {{p.rows, 2 * p.heads, p.head_dim, p.rotary, static_cast<int>(a.table.rows)},
          {a.query_key, a.position, a.table},
          {p.rows, p.context, p.page, p.heads, p.head_dim, p.dtype},
          {a.query_key.columns(width, width), a.values, a.slot, a.position, a.kv, a.k, a.v}};
}

void rope_append_ref(const RopeAppend::Problem& p, const RopeAppend::Args& a) {
  const Parts parts = parts_of(p, a);
  dense::rope_ref(parts.rope, parts.rope_args);
  append_ref(parts.append, parts.append_args);
}

template <Device kDevice>
void one_after_the_other(const RopeAppend::Problem& p, const RopeAppend::Args& a) {
  const Parts parts = parts_of(p, a);
  best_variant<dense::Rope>(parts.rope, kDevice).run(parts.rope, parts.rope_args);
  best_variant<Append>(parts.append, kDevice).run(parts.append, parts.append_args);
}

}  // namespace

RopeAppend::Args RopeAppend::make(const Problem& p, Arena& arena) {
  const std::int64_t width = std::int64_t{1} * p.heads * p.head_dim;
  const Append::Args append = Append::make({p.rows, p.context, p.page, p.heads, p.head_dim, p.dtype}, arena);
  return {arena.inout(Dtype::kF32, p.rows, 2 * width),   append.values, append.slot, append.position,
          arena.input(Dtype::kF32, p.context, p.rotary), append.kv,     append.k,    append.v};
}

Cost RopeAppend::cost(const Problem& p) {
  const Cost rope = dense::Rope::cost({p.rows, 2 * p.heads, p.head_dim, p.rotary, p.context});
  const Cost append = Append::cost({p.rows, p.context, p.page, p.heads, p.head_dim, p.dtype});
  // Turned keys are read once, and written to the cache alone.
  const double keys = 4.0 * p.rows * p.heads * p.rotary;
  return {rope.bytes_read + append.bytes_read - keys, rope.bytes_written + append.bytes_written - keys,
          rope.flops};
}

Check RopeAppend::check(const Problem& p, const Args& got, const Args& want) {
  const double stored = p.dtype == Dtype::kBf16 ? 4e-3 : p.dtype == Dtype::kF16 ? 5e-4 : 1e-6;
  const std::int64_t width = got.values.cols;
  const Check query = check_close(got.query_key.columns(0, width), want.query_key.columns(0, width), 1e-6);
  return worse(query, worse(check_close(got.k, want.k, stored), check_equal(got.v, want.v)));
}

std::vector<RopeAppend::Problem> RopeAppend::odd_problems() {
  std::vector<Problem> problems;
  for (const Dtype type : {Dtype::kBf16, Dtype::kF16, Dtype::kF32}) {
    problems.push_back({1, 1, 1, 1, 2, 2, type});
    problems.push_back({3, 40, 40, 3, 33, 14, type});
    problems.push_back({5, 40, 16, 32, 80, 32, type});
    problems.push_back({64, 5, 2, 1, 130, 128, type});
  }
  return problems;
}

std::span<const RopeAppend::Variant> RopeAppend::variants() {
  static const Variant cpu[] = {
      {.name = "ref", .run = rope_append_ref},
      {.name = "cpu", .run = one_after_the_other<Device::kCpu>},
  };
  if constexpr (kCudaBuild) {
    static const Variant two[] = {{.name = "cuda_two",
                                   .device = Device::kCuda,
                                   .available = on_cuda,
                                   .run = one_after_the_other<Device::kCuda>}};
    static const auto all = joined<Variant>(joined<Variant>(cpu, two), rope_append_cuda_variants());
    return all;
  } else {
    return cpu;
  }
}

}  // namespace trisect::vattention
