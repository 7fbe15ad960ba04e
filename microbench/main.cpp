#include <tuple>
#include <utility>

#include "kernels/adaptivocab/ops.hpp"
#include "kernels/dense/ops.hpp"
#include "kernels/larosa/ops.hpp"
#include "kernels/vattention/ops.hpp"
#include "microbench/adaptivocab/tokenizer_ops.hpp"
#include "microbench/harness/register.hpp"
#include "microbench/harness/run.hpp"

using Ops =
    decltype(std::tuple_cat(std::declval<trisect::dense::Ops>(), std::declval<trisect::larosa::Ops>(),
                            std::declval<trisect::vattention::Ops>(), std::declval<trisect::adaptivocab::Ops>(),
                            std::declval<trisect::microbench::TokenizerOps>()));

int main(int argc, char** argv) {
  return trisect::microbench::run(argc, argv, {.make_groups = trisect::microbench::make_groups<Ops>});
}
