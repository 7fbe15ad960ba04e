#include "integration/phi2/engine/larosa_options.hpp"

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

}  // namespace trisect::phi2
