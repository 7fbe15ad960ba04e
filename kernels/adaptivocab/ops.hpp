// The ops of the family, for tests, benchmarks and lists.
#pragma once

#include <tuple>

#include "kernels/adaptivocab/embedding_init.hpp"
#include "kernels/adaptivocab/head.hpp"
#include "kernels/adaptivocab/ngram_count.hpp"
#include "kernels/adaptivocab/ngram_select.hpp"
#include "kernels/adaptivocab/patch_decode.hpp"
#include "kernels/adaptivocab/patch_encode.hpp"

namespace trisect::adaptivocab {

using Ops = std::tuple<NgramCount, NgramSelect, PatchEncode, PatchDecode, EmbeddingInit, Head>;

}  // namespace trisect::adaptivocab
