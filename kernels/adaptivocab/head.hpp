// The product of hidden states with a head of an adapted vocabulary: dense/gemv under a name of its own, so
// that the family's benchmarks show what more rows of the head cost beside what fewer tokens save.
#pragma once

#include "kernels/dense/gemv.hpp"

namespace trisect::adaptivocab {

struct Head : dense::Gemv {
  static constexpr std::string_view name = "adaptivocab/head";
};

}  // namespace trisect::adaptivocab
