#include "integration/phi2/model/rotations.hpp"

#include <cmath>
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
  RotationsTest() : config_(tiny_config(3, 36, 1)), rotations_(allocate_rotations(config_, Dtype::kF32)) {
    for (std::size_t i = 0; i < rotations_.layers.size(); ++i) reflect(rotations_.layers[i], i);
    rotations_.info = {kModel, "fedcba9876543210", 20480, std::string(kLayernormSpace), 0.01};
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
  Rotations load(Dtype dtype = Dtype::kF32) {
    return load_rotations(path("rotations.safetensors"), config_, kModel, kLayernormSpace, dtype);
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
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16}) {
    const Rotations loaded = load(dtype);
    EXPECT_EQ(loaded.info.model_hash, kModel);
    EXPECT_EQ(loaded.info.text_hash, "fedcba9876543210");
    EXPECT_EQ(loaded.info.text_tokens, 20480);
    EXPECT_EQ(loaded.info.space, "layernorm");
    EXPECT_EQ(loaded.info.damping, 0.01);
    EXPECT_EQ(loaded.bytes(), 3 * 36 * 36 * size_of(dtype));
    ASSERT_EQ(loaded.layers.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::int64_t r = 0; r < 36; ++r) {
        for (std::int64_t c = 0; c < 36; ++c) {
          const float want = rotations_.layers[i].row<float>(r)[c];
          const View& got = loaded.layers[i];
          ASSERT_TRUE(dtype == Dtype::kF32 ? got.row<float>(r)[c] == want
                                           : got.row<bf16>(r)[c].bits == to_bf16(want).bits);
        }
      }
    }
  }
}

TEST_F(RotationsTest, AnotherModelSpaceOrVersionIsRefused) {
  rotations_.info.model_hash = "0000000000000000";
  save();
  refuse({"model_hash", "0000000000000000", kModel});
  rotations_.info.model_hash = kModel;
  rotations_.info.space = "centred";
  save();
  refuse({"space", "\"centred\"", "\"layernorm\""});
  rotations_.info.space = kLayernormSpace;
  config_.layers = 2;
  save();
  refuse({"3 rotations", "2 layers"});
  config_ = tiny_config(3, 40, 1);
  refuse({"layers.0.rotation is F32 [36, 36]", "[40, 40]"});
  write_safetensors(path("rotations.safetensors"), std::vector<NamedTensor>{{"a", rotations_.layers[0], {}}});
  refuse({"no format"});
  write_safetensors(path("rotations.safetensors"), {}, {{"format", "trisect-rotations"}, {"version", "2"}});
  refuse({"version is \"2\""});
}

TEST_F(RotationsTest, WrongNumbersInTheMetadataAreRefused) {
  for (const char* damping : {"", "x", "0.1x", "-1", "nan", "inf", "1e300"}) {
    Metadata metadata = SafetensorsFile(save()).metadata();
    metadata["damping"] = damping;
    std::vector<NamedTensor> tensors;
    for (const View& q : rotations_.layers) {
      tensors.push_back({"layers." + std::to_string(tensors.size()) + ".rotation", q, {}});
    }
    write_safetensors(path("rotations.safetensors"), tensors, metadata);
    refuse({"damping"});
    metadata["damping"] = "0.5";
    tensors[1].name = "layers.7.rotation";
    write_safetensors(path("rotations.safetensors"), tensors, metadata);
    refuse({"no layers.1.rotation"});
  }
}

TEST_F(RotationsTest, WhatIsNotOrthogonalIsRefused) {
  float& element = rotations_.layers[2].row<float>(5)[17];
  for (const float wrong :
       {element + 0.1f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const float before = std::exchange(element, wrong);
    save();
    refuse({"layers.2.rotation is not orthogonal"});
    element = before;
  }
  for (std::int64_t r = 0; r < 36; ++r) rotations_.layers[0].row<float>(r)[0] *= 1.01f;
  save();
  refuse({"layers.0.rotation is not orthogonal"});
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
