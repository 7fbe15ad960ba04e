#include "integration/phi2/engine/larosa_options.hpp"

#include <cmath>

#include "kernels/core/error.hpp"
#include "kernels/larosa/topk.hpp"

namespace trisect::phi2 {

void validate(const LarosaOptions& options) {
  const auto require = [&](const char* inputs, int coefficient, int permille) {
    if (permille >= 0 && permille < 1000 && coefficient >= 0) return;
    usage_error(
        "--larosa-sparsity {:.3f} times the coefficient {:.3f} gives {:.3f} for the inputs of {}, which is "
        "not "
        "within [0, 1): lower one of them",
        options.sparsity_permille / 1000.0, coefficient / 1000.0, permille / 1000.0, inputs);
  };
  require("q, k, v and fc1", options.coefficients.in_permille, options.in_permille());
  require("dense and fc2", options.coefficients.out_permille, options.out_permille());
}

double weight_sparsity(const Config& config, const LarosaOptions& options) {
  const double hidden = config.hidden, wide = 3 * hidden + config.intermediate;
  const auto dropped = [](int n, int permille) { return static_cast<double>(n - larosa::kept(n, permille)); };
  const double weights = dropped(config.hidden, options.in_permille()) * wide +
                         (dropped(config.hidden, options.out_permille()) +
                          dropped(config.intermediate, options.out_permille())) *
                             hidden;
  return weights / (hidden * wide + (hidden + config.intermediate) * hidden);
}

std::optional<Coefficients> balanced(const Config& config, int sparsity_permille, int in_permille) {
  if (sparsity_permille <= 0) return std::nullopt;
  LarosaOptions options{.sparsity_permille = sparsity_permille};
  options.coefficients.in_permille = in_permille;
  if (in_permille < 0 || options.in_permille() >= 1000) return std::nullopt;
  const auto distance = [&](int permille) {  // when so much of the inputs of dense and fc2 is dropped
    options.coefficients.out_permille = (1000 * permille + sparsity_permille - 1) / sparsity_permille;
    return std::abs(weight_sparsity(config, options) - sparsity_permille / 1000.0);
  };
  int closest = 0;
  for (int permille = 1; permille < 1000; ++permille) {
    if (distance(permille) < distance(closest)) closest = permille;
  }
  constexpr double kWholePermilles = 0.002;
  const bool is_edge = closest == 0 || closest == 999;
  if (is_edge && distance(closest) > kWholePermilles) return std::nullopt;
  distance(closest);
  return options.coefficients;
}

}  // namespace trisect::phi2
