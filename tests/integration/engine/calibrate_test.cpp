// Calibration: orthogonal, ordered, better than chance, and the same when it was stopped in between.
#include "integration/phi2/engine/calibrate.hpp"

#include "integration/phi2/engine/moments.hpp"
#include "integration/phi2/engine/random_rotations.hpp"
#include "tests/integration/engine/fixture.hpp"
#include "tests/integration/model/scratch.hpp"

namespace trisect::phi2 {
namespace {

constexpr const char* kFixture = "head80_bf16";

double worst_inner_product(const View& q) {
  double worst = 0;
  for (std::int64_t a = 0; a < q.rows; ++a) {
    for (std::int64_t b = a; b < q.rows; ++b) {
      double product = a == b ? -1 : 0;
      for (std::int64_t c = 0; c < q.cols; ++c)
        product += double{q.row<float>(a)[c]} * double{q.row<float>(b)[c]};
      worst = std::max(worst, std::abs(product));
    }
  }
  return worst;
}

bool same(const std::vector<Buffer>& a, const std::vector<Buffer>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Buffer& x, const Buffer& y) {
    return x.bytes() == y.bytes() && std::memcmp(x.data(), y.data(), x.bytes()) == 0;
  });
}

RotationInfo wanted(RotationKind kind, LarosaMode mode, bool values = true) {
  RotationInfo info;
  info.kind = kind;
  info.values = values;
  info.space = mode == LarosaMode::kMerged ? kCentredSpace : kLayernormSpace;
  info.damping = 0.01;
  return info;
}

class Calibrate : public Scratch {
 protected:
  /// Text that the model has something to say about: its own, so that activations are not all alike.
  Calibrate() {
    for (std::size_t i = 0; i < 400; ++i) {
      ids_.push_back(
          static_cast<std::int32_t>(random_bits(3, i) % static_cast<unsigned>(weights_.config.vocab)));
    }
  }

  Weights weights_ = load_fixture(kFixture, Dtype::kF32);
  std::vector<std::int32_t> ids_;
};

TEST_F(Calibrate, MatricesAreOrthogonalAndAsManyAsTheKindNeeds) {
  for (const LarosaMode mode : {LarosaMode::kOnline, LarosaMode::kMerged}) {
    for (const auto& [kind, count] : {std::pair{RotationKind::kLayer, weights_.config.layers},
                                      {RotationKind::kGlobal, 1},
                                      {RotationKind::kNone, 0}}) {
      const Rotations q = calibrate(weights_, ids_, wanted(kind, mode));
      ASSERT_EQ(q.rotation_matrices.size(), static_cast<std::size_t>(count));
      ASSERT_EQ(q.value_matrices.size(), static_cast<std::size_t>(weights_.config.layers));
      for (const Buffer& matrix : q.rotation_matrices) EXPECT_LT(worst_inner_product(matrix.view()), 1e-5);
      EXPECT_LT(worst_inner_product(q.value_matrices.back().view().rows_from(weights_.config.head_dim,
                                                                             weights_.config.head_dim)),
                1e-5);
      EXPECT_EQ(q.info().text_tokens, 400);
      EXPECT_EQ(q.info().model_hash, weights_.hash);
    }
  }
  EXPECT_TRUE(calibrate(weights_, ids_, wanted(RotationKind::kGlobal, LarosaMode::kOnline, false))
                  .value_matrices.empty());
}

/// Directions of a calibrated rotation come in falling order of what they carry, so dropping by magnitude
/// drops the least.
TEST_F(Calibrate, KeepsMoreThanRandomRotations) {
  const auto logits = [&](const std::optional<LarosaOptions>& larosa, const RotationSource* q) {
    EngineOptions options;
    options.larosa = larosa;
    Engine engine(load_fixture(kFixture, Dtype::kF32), options, q);
    Sequence sequence(engine, engine.context());
    return prefill(engine, sequence, std::span(ids_).first(48), 512);
  };
  const Buffer dense = logits(std::nullopt, nullptr);
  for (const LarosaMode mode : {LarosaMode::kOnline, LarosaMode::kMerged}) {
    const auto error = [&](const RotationSource& q) {
      return distance(
          logits(
              LarosaOptions{
                  .mode = mode, .rotation = q.info().kind, .sparsity_permille = 500, .prefill = true},
              &q)
              .view(),
          dense.view());
    };
    const double random = error(*random_rotations(weights_.config, wanted(RotationKind::kRandom, mode), 2));
    const double layer = error(calibrate(weights_, ids_, wanted(RotationKind::kLayer, mode)));
    EXPECT_LT(layer, random);
    EXPECT_LT(error(calibrate(weights_, ids_, wanted(RotationKind::kGlobal, mode))), random);
    EXPECT_LT(layer, error(calibrate(weights_, ids_, wanted(RotationKind::kLayer, mode, false))))
        << "values help";
  }
}

TEST_F(Calibrate, GoesOnWhereItWasStopped) {
  for (const RotationKind kind : {RotationKind::kLayer, RotationKind::kGlobal}) {
    const RotationInfo info = wanted(kind, LarosaMode::kMerged);
    const auto state = path(std::string("state-") + std::string(name_of(kind)));
    const Rotations whole = calibrate(weights_, ids_, info);
    double begun_at = 1;
    const auto stop_late = [](std::string_view, double fraction) {
      if (fraction > 0.5) throw Error(ExitCode::kInterrupted, "stop");
    };
    EXPECT_THROW(calibrate(weights_, ids_, info, stop_late, state), Error);
    const Rotations resumed = calibrate(
        weights_, ids_, info,
        [&](std::string_view, double fraction) { begun_at = std::min(begun_at, fraction); }, state);
    EXPECT_GT(begun_at, 0.5) << "finished layers are not done again";
    EXPECT_TRUE(same(whole.rotation_matrices, resumed.rotation_matrices));
    EXPECT_TRUE(same(whole.value_matrices, resumed.value_matrices));

    RotationInfo other = info;
    other.damping = 0.02;
    expect_error([&] { calibrate(weights_, ids_, other, {}, state); },
                 {"state-", "another calibration", "remove"});
    expect_error([&] { calibrate(weights_, std::span(ids_).first(399), info, {}, state); },
                 {"another calibration"});
    std::filesystem::remove(state / "layer-0000.safetensors");
    expect_error([&] { calibrate(weights_, ids_, info, {}, state); }, {"layer-0000"});
  }
}

TEST_F(Calibrate, RefusesTooLittleText) {
  EXPECT_THROW(
      calibrate(weights_, std::span(ids_).first(static_cast<std::size_t>(weights_.config.hidden) - 1),
                wanted(RotationKind::kLayer, LarosaMode::kOnline)),
      Error);
}

TEST(MomentsTest, AddUpOverBlocks) {
  const Buffer x(Dtype::kF32, 37, 9);
  fill_normal(x.view(), 5, 1.0f);
  Moments sum = Moments::Zero(7, 7), want = sum;
  add_moments(x.view().rows_from(0, 30).columns(1, 7), sum);
  add_moments(x.view().rows_from(30, 7).columns(1, 7), sum);
  for (std::int64_t r = 0; r < 37; ++r) {
    for (int a = 0; a < 7; ++a) {
      for (int b = 0; b < 7; ++b)
        want(a, b) += double{x.view().row<float>(r)[a + 1]} * double{x.view().row<float>(r)[b + 1]};
    }
  }
  EXPECT_LT((sum - want).norm(), 1e-5 * want.norm());
}

/// Moments made of known directions and weights give these back, largest first.
TEST(MomentsTest, PrincipalDirectionsAreFoundInFallingOrder) {
  Eigen::Matrix3d axes;
  axes << 2, -2, 1, 1, 2, 2, 2, 1, -2;
  axes /= 3;
  const Moments moments = axes * Eigen::Vector3d(1, 9, 4).asDiagonal() * axes.transpose();
  const Buffer q(Dtype::kF32, 3, 3);
  principal_directions(moments, 0.01, q.view());
  for (const auto& [column, axis] : {std::pair{0, 1}, {1, 2}, {2, 0}}) {
    double product = 0;
    for (int r = 0; r < 3; ++r) product += double{q.view().row<float>(r)[column]} * axes(r, axis);
    EXPECT_NEAR(std::abs(product), 1, 1e-6);
  }
}

TEST(RandomRotationsTest, AreOrthogonalAndDifferByLayerUnlessShared) {
  const Config config = *known_config("phi-mini");
  RotationInfo info = wanted(RotationKind::kLayer, LarosaMode::kOnline);
  const auto q = random_rotations(config, info, 5);
  const Buffer first = q->rotation(0), second = q->rotation(1);
  EXPECT_LT(worst_inner_product(first.view()), 1e-5);
  EXPECT_NE(std::memcmp(first.data(), second.data(), first.bytes()), 0);
  EXPECT_LT(worst_inner_product(q->values(2).view().rows_from(80, 80)), 1e-5);
  info.kind = RotationKind::kRandom;
  const auto shared = random_rotations(config, info, 5);
  EXPECT_EQ(std::memcmp(shared->rotation(0).data(), shared->rotation(1).data(), first.bytes()), 0);
}

}  // namespace
}  // namespace trisect::phi2
