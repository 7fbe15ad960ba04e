// The search against evaluating each pair by itself, with nothing shared but the engine.
#include "integration/phi2/engine/coefficient_search.hpp"

#include <cmath>

#include "integration/phi2/engine/random_rotations.hpp"
#include "tests/integration/engine/fixture.hpp"
#include "tests/integration/model/scratch.hpp"

namespace trisect::phi2 {
namespace {

constexpr const char* kFixture = "head80_bf16";
constexpr int kPermille = 400;

class CoefficientSearch : public Scratch {
 protected:
  CoefficientSearch() {
    for (std::size_t i = 0; i < 40; ++i) {
      ids_.push_back(static_cast<std::int32_t>(random_bits(3, i) % static_cast<unsigned>(config().vocab)));
    }
  }

  static const Config& config() {
    static const Config read = find_model(fixture_path(kFixture).string()).config;
    return read;
  }

  static std::unique_ptr<Engine> engine(LarosaMode mode, const LarosaOptions& options, int context = 0) {
    RotationInfo info;
    info.kind = RotationKind::kRandom;
    info.space = mode == LarosaMode::kMerged ? kCentredSpace : kLayernormSpace;
    EngineOptions with;
    with.context = context;
    with.larosa = options;
    with.larosa->mode = mode;
    with.larosa->rotation = info.kind;
    with.larosa->prefill = true;
    return std::make_unique<Engine>(load_fixture(kFixture, Dtype::kF32), with,
                                    random_rotations(config(), info, 5).get());
  }

  /// ln of the softmax of every position's logits, of windows that start anew.
  std::vector<std::vector<double>> log_probabilities(LarosaMode mode, const LarosaOptions& options,
                                                     std::size_t window) {
    const auto model = engine(mode, options);
    std::vector<std::vector<double>> all;
    for (std::size_t at = 0; at < ids_.size(); at += window) {
      const auto part = std::span(ids_).subspan(at, std::min(window, ids_.size() - at));
      Sequence sequence(*model, model->context());
      const Buffer logits = prefill(*model, sequence, part, 512);
      for (std::int64_t r = 0; r + 1 < logits.view().rows; ++r) {
        const float* row = logits.view().row<float>(r);
        double sum = 0;
        for (int i = 0; i < config().vocab; ++i) sum += std::exp(double{row[i]});
        all.emplace_back();
        for (int i = 0; i < config().vocab; ++i) all.back().push_back(double{row[i]} - std::log(sum));
      }
    }
    return all;
  }

  static double mean_kl(const std::vector<std::vector<double>>& p,
                        const std::vector<std::vector<double>>& q) {
    double sum = 0;
    for (std::size_t t = 0; t < p.size(); ++t) {
      for (std::size_t i = 0; i < p[t].size(); ++i) sum += std::exp(p[t][i]) * (p[t][i] - q[t][i]);
    }
    return sum / static_cast<double>(p.size());
  }

  std::vector<std::int32_t> ids_;
};

TEST_F(CoefficientSearch, FindsTheLeastErrorOfTheGrid) {
  for (const LarosaMode mode : {LarosaMode::kOnline, LarosaMode::kMerged}) {
    for (const int window : {16, 40}) {  // 16: three windows, the last of them shorter
      const auto searched = engine(mode, {}, window);
      const std::vector<GridPoint> grid = search_coefficients(*searched, ids_, kPermille);
      ASSERT_GT(grid.size(), 10u);
      const auto dense = log_probabilities(mode, {.sparsity_permille = 0}, static_cast<std::size_t>(window));
      double least = 1e9;
      Coefficients best;
      for (const GridPoint& point : grid) {
        const LarosaOptions options{.sparsity_permille = kPermille, .coefficients = point.coefficients};
        const double kl = mean_kl(dense, log_probabilities(mode, options, static_cast<std::size_t>(window)));
        EXPECT_NEAR(point.error.mean_kl(), kl, 1e-5 + 1e-3 * kl) << point.coefficients.in_permille;
        EXPECT_EQ(point.error.predicted, static_cast<std::int64_t>(dense.size()));
        if (kl < least) {
          least = kl;
          best = point.coefficients;
        }
      }
      EXPECT_GT(least, 0);
      EXPECT_EQ(best_of(grid).coefficients.in_permille, best.in_permille);
      EXPECT_EQ(best_of(grid).coefficients.out_permille, best.out_permille);
    }
  }
}

TEST_F(CoefficientSearch, GoesOnWhereItWasStopped) {
  const auto state = path("state/search.safetensors");
  const auto searched = engine(LarosaMode::kOnline, {}, 16);
  const std::vector<GridPoint> whole = search_coefficients(*searched, ids_, kPermille);
  const auto stop_late = [](std::string_view, double fraction) {
    if (fraction > 0.5) throw Error(ExitCode::kInterrupted, "stop");
  };
  EXPECT_THROW(search_coefficients(*searched, ids_, kPermille, stop_late, state), Error);
  double begun_at = 1;
  const auto note = [&](std::string_view, double fraction) { begun_at = std::min(begun_at, fraction); };
  const std::vector<GridPoint> resumed = search_coefficients(*searched, ids_, kPermille, note, state);
  EXPECT_GT(begun_at, 0.4) << "the first window is not done again";
  ASSERT_EQ(whole.size(), resumed.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(whole[i].error.predicted, resumed[i].error.predicted);
    EXPECT_EQ(whole[i].error.agreeing, resumed[i].error.agreeing);
    EXPECT_EQ(whole[i].error.kl, resumed[i].error.kl);
    EXPECT_EQ(whole[i].error.nll, resumed[i].error.nll);
  }
  begun_at = 1;
  search_coefficients(*searched, ids_, kPermille + 1, note, state);
  EXPECT_LT(begun_at, 0.4) << "another search begins anew";
}

TEST_F(CoefficientSearch, RefusesWhatCannotBeSearched) {
  const auto searched = engine(LarosaMode::kOnline, {});
  EXPECT_THROW(search_coefficients(*searched, std::span(ids_).first(1), kPermille), Error);
  for (const int permille : {-1, 0, 1000}) {
    expect_error([&] { search_coefficients(*searched, ids_, permille); }, {"within (0, 1)"},
                 ExitCode::kUsage);
  }
}

TEST(CoefficientGrid, LeavesTheAskedShareOfWeightsUnread) {
  for (const char* name : {"phi-2", "phi-1.5", "phi-mini"}) {
    const Config config = *known_config(name);
    for (const int permille : {100, 400, 500, 750, 950}) {
      const std::vector<Coefficients> grid = coefficient_grid(config, permille);
      EXPECT_FALSE(grid.empty());
      for (const Coefficients& pair : grid) {
        const LarosaOptions larosa{.sparsity_permille = permille, .coefficients = pair};
        EXPECT_NO_THROW(validate(larosa));
        EXPECT_NEAR(weight_sparsity(config, larosa), permille / 1000.0, 0.002)
            << name << " " << pair.in_permille;
      }
    }
  }
}

/// The published 0.8 goes with 1.28, not 1.2, if the total is to be p at phi-2: 0.583 * 0.8 + 0.417 * 1.28
/// = 1.
TEST(CoefficientGrid, KnowsThePublishedPairsTotal) {
  const auto pair = balanced(*known_config("phi-2"), 400, 800);
  ASSERT_TRUE(pair);
  EXPECT_NEAR(pair->out_permille, 1280, 3);
  EXPECT_FALSE(balanced(*known_config("phi-2"), 400, 2500)) << "1.0 of the inputs";
  EXPECT_FALSE(balanced(*known_config("phi-2"), 400, 2000)) << "dense and fc2 cannot give back so much";
  EXPECT_FALSE(balanced(*known_config("phi-2"), 0, 800));
}

}  // namespace
}  // namespace trisect::phi2
