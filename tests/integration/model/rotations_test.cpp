#include "integration/phi2/model/rotations.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include "integration/phi2/model/safetensors.hpp"
#include "kernels/core/random.hpp"
#include "tests/integration/model/scratch.hpp"
#include "tests/integration/model/tiny_model.hpp"

namespace trisect::phi2 {
namespace {

constexpr char kModel[] = "0123456789abcdef";

class RotationsTest : public Scratch {
 protected:
  RotationsTest() : config_(tiny_config(3, 36, 3)), rotations_(info()) {
    for (Seed i = 0; i < 3; ++i) {
      reflect(rotations_.rotation_matrices.emplace_back(Dtype::kF32, 36, 36).view(), i);
      const View values = rotations_.value_matrices.emplace_back(Dtype::kF32, 36, 12).view();
      for (int head = 0; head < 3; ++head) reflect(values.rows_from(head * 12, 12), 10 * i + head);
    }
  }

  static RotationInfo info() {
    return {.kind = RotationKind::kLayer,
            .values = true,
            .model_hash = kModel,
            .text_hash = "fedcba9876543210",
            .text_tokens = 20480,
            .space = std::string(kLayernormSpace),
            .damping = 0.01,
            .coefficients = Coefficients{750, 1350}};
  }

  /// I - 2vv'/v'v: orthogonal and dense.
  static void reflect(const View& q, Seed seed) {
    std::vector<float> v(static_cast<std::size_t>(q.rows));
    fill_normal(View::of(v.data(), 1, q.rows), seed, 1);
    float square = 0;
    for (const float value : v) square += value * value;
    for (std::int64_t r = 0; r < q.rows; ++r) {
      for (std::int64_t c = 0; c < q.cols; ++c) {
        const float product = v[static_cast<std::size_t>(r)] * v[static_cast<std::size_t>(c)];
        q.row<float>(r)[c] = static_cast<float>(r == c) - 2 * product / square;
      }
    }
  }

  std::filesystem::path save() {
    save_rotations(path("rotations.safetensors"), rotations_);
    return path("rotations.safetensors");
  }
  std::unique_ptr<RotationSource> load() {
    auto source = open_rotations(path("rotations.safetensors"), config_, kModel, kLayernormSpace);
    for (int i = 0; i < config_.layers; ++i) {
      if (source->rotates()) source->rotation(i);
      if (source->info().values) source->values(i);
    }
    return source;
  }
  static bool same(const Buffer& a, const Buffer& b) {
    return a.bytes() == b.bytes() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
  }
  void refuse(std::initializer_list<std::string> parts) {
    expect_error([&] { load(); }, {"rotations.safetensors", "phi2 calibrate"});
    expect_error([&] { load(); }, parts);
  }

  Config config_;
  Rotations rotations_;
};

TEST_F(RotationsTest, WhatIsSavedIsLoaded) {
  save();
  const auto loaded = load();
  EXPECT_EQ(loaded->info().kind, RotationKind::kLayer);
  EXPECT_TRUE(loaded->info().values);
  EXPECT_EQ(loaded->info().model_hash, kModel);
  EXPECT_EQ(loaded->info().text_hash, "fedcba9876543210");
  EXPECT_EQ(loaded->info().text_tokens, 20480);
  EXPECT_EQ(loaded->info().space, "layernorm");
  EXPECT_EQ(loaded->info().damping, 0.01);
  ASSERT_TRUE(loaded->info().coefficients);
  EXPECT_EQ(loaded->info().coefficients->in_permille, 750);
  EXPECT_EQ(loaded->info().coefficients->out_permille, 1350);
  EXPECT_EQ(read_rotation_info(path("rotations.safetensors")).text_tokens, 20480);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(same(loaded->rotation(i), rotations_.rotation(i)));
    EXPECT_TRUE(same(loaded->values(i), rotations_.values(i)));
  }
}

TEST_F(RotationsTest, OneForAllLayersOrNone) {
  rotations_.info().values = false;
  rotations_.info().coefficients.reset();
  rotations_.value_matrices.clear();
  rotations_.rotation_matrices.resize(1);
  for (const RotationKind kind : {RotationKind::kGlobal, RotationKind::kRandom}) {
    rotations_.info().kind = kind;
    save();
    const auto loaded = load();
    EXPECT_EQ(loaded->info().kind, kind);
    EXPECT_FALSE(loaded->info().coefficients);
    EXPECT_FALSE(loaded->per_layer());
    EXPECT_TRUE(same(loaded->rotation(2), rotations_.rotation(0)));
  }
  rotations_.info().kind = RotationKind::kNone;
  rotations_.rotation_matrices.clear();
  save();
  EXPECT_FALSE(load()->rotates());
}

TEST(RotationKindTest, NamesAreReadAsTheyAreWritten) {
  for (const char* name : {"layer", "global", "random", "none"})
    EXPECT_EQ(name_of(rotation_kind_from_name(name)), name);
  EXPECT_THROW(rotation_kind_from_name("local"), Error);
}

TEST_F(RotationsTest, AnotherModelSpaceOrVersionIsRefused) {
  rotations_.info().model_hash = "0000000000000000";
  save();
  refuse({"model_hash", "0000000000000000", kModel});
  rotations_.info().model_hash = kModel;
  rotations_.info().space = "centred";
  save();
  refuse({"space", "\"centred\"", "\"layernorm\"", "naive and online"});
  rotations_.info().space = kLayernormSpace;
  config_.layers = 2;
  save();
  refuse({"6 matrices", "2 layers"});
  config_ = tiny_config(3, 40, 4);
  refuse({"layers.0.rotation is F32 [36, 36]", "[40, 40]"});
  write_safetensors(path("rotations.safetensors"),
                    std::vector<NamedTensor>{{"a", rotations_.rotation_matrices[0].view(), {}}});
  refuse({"no format"});
  write_safetensors(path("rotations.safetensors"), {}, {{"format", "trisect-rotations"}, {"version", "1"}});
  refuse({"version is \"1\""});
}

TEST_F(RotationsTest, WrongEntriesOfTheMetadataAreRefused) {
  save();
  const Metadata good = SafetensorsFile(path("rotations.safetensors")).metadata();
  const auto with = [&](const char* key, const char* value, const char* third = "layers.1.rotation") {
    Metadata metadata = good;
    metadata[key] = value;
    std::vector<NamedTensor> tensors;
    for (int i = 0; i < 3; ++i) {
      const auto at = static_cast<std::size_t>(i);
      tensors.push_back({i == 1 ? third : fmt::format("layers.{}.rotation", i),
                         rotations_.rotation_matrices[at].view(),
                         {}});
      tensors.push_back({fmt::format("layers.{}.values", i), rotations_.value_matrices[at].view(), {}});
    }
    write_safetensors(path("rotations.safetensors"), tensors, metadata);
  };
  for (const char* damping : {"", "x", "0.1x", "-1", "nan", "inf", "1e300"}) {
    with("damping", damping);
    refuse({"damping"});
  }
  with("kind", "local");
  refuse({"kind", "local"});
  with("coefficient_in_permille", "1e9");
  refuse({"coefficient_in_permille"});
  with("damping", "0.5", "layers.7.rotation");
  refuse({"no layers.1.rotation"});
}

TEST_F(RotationsTest, WhatIsNotOrthogonalIsRefused) {
  float& element = rotations_.rotation_matrices[2].view().row<float>(5)[17];
  for (const float wrong :
       {element + 0.1f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const float before = std::exchange(element, wrong);
    save();
    refuse({"layers.2.rotation is not orthogonal"});
    element = before;
  }
  for (std::int64_t r = 0; r < 36; ++r) rotations_.rotation_matrices[0].view().row<float>(r)[0] *= 1.01f;
  save();
  refuse({"layers.0.rotation is not orthogonal"});
  for (std::int64_t r = 0; r < 36; ++r) rotations_.rotation_matrices[0].view().row<float>(r)[0] /= 1.01f;
  rotations_.value_matrices[1].view().row<float>(20)[3] += 0.1f;
  save();
  refuse({"layers.1.values is not orthogonal"});
}

TEST_F(RotationsTest, TruncatedFilesAreRefused) {
  const std::string whole = read(save());
  for (std::size_t size = 0; size < whole.size(); size += 64) {
    write("rotations.safetensors", whole.substr(0, size));
    expect_error([&] { load(); }, {"rotations.safetensors"});
  }
}

TEST_F(RotationsTest, AModelIsNoRotationFile) {
  TinyModel(config_).write(path("rotations.safetensors"), Dtype::kF16);
  refuse({"format is \"pt\""});
}

}  // namespace
}  // namespace trisect::phi2
