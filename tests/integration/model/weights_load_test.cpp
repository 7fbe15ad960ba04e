#include <omp.h>

#include <cmath>

#include "integration/phi2/model/checkpoint.hpp"
#include "integration/phi2/model/weights.hpp"
#include "tests/integration/model/scratch.hpp"
#include "tests/integration/model/tiny_model.hpp"

namespace trisect::phi2 {
namespace {

float value(const View& view, std::int64_t r, std::int64_t c) {
  float wide = 0;
  const View one = view.rows_from(r, 1).columns(c, 1);
  convert(one.data, one.dtype, &wide, Dtype::kF32, 1);
  return wide;
}

std::size_t differences(const View& matrix, const TinyModel::Tensor& stored) {
  std::size_t count = 0;
  for (std::int64_t in = 0; in < matrix.rows; ++in) {
    for (std::int64_t out = 0; out < matrix.cols; ++out)
      count += value(matrix, in, out) != stored.at(out, in);
  }
  return count;
}

/// Every weight is where the header says it is.
void expect_same(const Weights& weights, const TinyModel& model) {
  const std::int64_t h = model.config.hidden, m = model.config.intermediate;
  const auto tensor = [&](const std::string& name) { return model.tensors.at(name); };
  const auto expect_vector = [&](const View& vector, std::int64_t first, const std::string& name) {
    const TinyModel::Tensor& stored = tensor(name);
    for (std::size_t i = 0; i < stored.values.size(); ++i) {
      ASSERT_EQ(vector.row<float>()[first + static_cast<std::int64_t>(i)], stored.values[i])
          << name << " " << i;
    }
  };
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    const LayerWeights& layer = weights.layers[i];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    ASSERT_EQ(layer.qkvh.rows, h);
    ASSERT_EQ(layer.qkvh.cols, 3 * h + m);
    ASSERT_EQ(layer.out.rows, h + m);
    ASSERT_EQ(layer.out.cols, h);
    std::int64_t column = 0;
    for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.fc1"}) {
      const TinyModel::Tensor& stored = tensor(prefix + name + ".weight");
      EXPECT_EQ(differences(layer.qkvh.columns(column, stored.shape[0]), stored), 0u) << prefix << name;
      expect_vector(layer.qkvh_bias, column, prefix + name + ".bias");
      column += stored.shape[0];
    }
    EXPECT_EQ(differences(layer.out.rows_from(0, h), tensor(prefix + "self_attn.dense.weight")), 0u);
    EXPECT_EQ(differences(layer.out.rows_from(h, m), tensor(prefix + "mlp.fc2.weight")), 0u);
    for (std::int64_t c = 0; c < h; ++c) {
      const std::size_t at = static_cast<std::size_t>(c);
      EXPECT_EQ(layer.out_bias.row<float>()[c], tensor(prefix + "self_attn.dense.bias").values[at] +
                                                    tensor(prefix + "mlp.fc2.bias").values[at]);
    }
    expect_vector(layer.norm_gain, 0, prefix + "input_layernorm.weight");
    expect_vector(layer.norm_bias, 0, prefix + "input_layernorm.bias");
  }
  const TinyModel::Tensor& embedding = tensor("model.embed_tokens.weight");
  ASSERT_EQ(weights.embedding.rows, model.config.vocab);
  for (std::int64_t r = 0; r < model.config.vocab; ++r) {
    for (std::int64_t c = 0; c < h; ++c) ASSERT_EQ(value(weights.embedding, r, c), embedding.at(r, c));
  }
  EXPECT_EQ(differences(weights.head, tensor("lm_head.weight")), 0u);
  expect_vector(weights.head_bias, 0, "lm_head.bias");
  expect_vector(weights.final_gain, 0, "model.final_layernorm.weight");
  expect_vector(weights.final_bias, 0, "model.final_layernorm.bias");
}

class WeightsLoadTest : public Scratch {
 protected:
  Weights load(Dtype dtype = Dtype::kBf16) { return read_weights(directory_, model_.config, dtype); }
  void refuse(std::initializer_list<std::string> parts) {
    model_.write(path("model.safetensors"), Dtype::kF16);
    expect_error([&] { load(); }, {"model.safetensors"});
    expect_error([&] { load(); }, parts);
  }

  TinyModel model_{tiny_config()};
};

TEST_F(WeightsLoadTest, EveryStoredTypeLoadsAsEveryType) {
  std::set<std::string> hashes;
  for (const Dtype stored : {Dtype::kF32, Dtype::kF16, Dtype::kBf16}) {
    model_.write(path("model.safetensors"), stored);
    for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
      SCOPED_TRACE(fmt::format("{} as {}", name_of(stored), name_of(dtype)));
      const Weights weights = load(dtype);
      EXPECT_EQ(weights.dtype, dtype);
      expect_same(weights, model_);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(weights.layers[1].out.byte_row(1)) % 64, 0u);
      hashes.insert(weights.hash);
    }
  }
  EXPECT_EQ(hashes.size(), 3u) << "the hash is of what is stored, not of what it is loaded as";
  expect_error([&] { load(Dtype::kI32); }, {"i32", "bf16, f16 or f32"}, ExitCode::kUsage);
}

TEST_F(WeightsLoadTest, RefusesWhatHasNoPlaceInF16) {
  auto& values = model_.tensors["model.layers.1.mlp.fc2.weight"].values;
  values.back() = 65504;
  model_.write(path("model.safetensors"), Dtype::kF32);
  expect_same(load(Dtype::kF16), model_);
  values.back() = -70000;
  for (const Dtype stored : {Dtype::kF32, Dtype::kBf16}) {
    model_.write(path("model.safetensors"), stored);
    expect_error([&] { load(Dtype::kF16); },
                 {"model.safetensors", "model.layers.1.mlp.fc2.weight", "65504", "bf16 or f32"},
                 ExitCode::kUsage);
  }
}

TEST_F(WeightsLoadTest, OddShapesBeyondOneBandAndTile) {
  for (const Config& shape : {tiny_config(1, 2, 1, 1, 1), tiny_config(1, 66, 3, 129, 65),
                              tiny_config(2, 64, 1, 128, 300), tiny_config(1, 134, 1, 63, 127)}) {
    model_ = TinyModel(shape);
    model_.write(path("model.safetensors"), Dtype::kF16);
    expect_same(load(), model_);
  }
}

TEST_F(WeightsLoadTest, ShardsLoadAndHashAsOneFile) {
  model_.write(path("model.safetensors"), Dtype::kF16);
  const std::string hash = load().hash;
  std::filesystem::remove(path("model.safetensors"));
  const auto shard_of = [](const std::string& name) { return std::hash<std::string>()(name) % 3; };
  std::string map;
  for (std::size_t shard = 0; shard < 3; ++shard) {
    model_.write(path(fmt::format("shard-{}", shard)), Dtype::kF16,
                 [&](const std::string& name) { return shard_of(name) == shard; });
  }
  for (const auto& [name, tensor] : model_.tensors) {
    map += fmt::format("{}\"{}\": \"shard-{}\"", map.empty() ? "" : ", ", name, shard_of(name));
  }
  write("model.safetensors.index.json", "{\"weight_map\": {" + map + "}}");
  const Weights weights = load();
  expect_same(weights, model_);
  EXPECT_EQ(weights.hash, hash);
}

TEST_F(WeightsLoadTest, TheHashSeesEveryTensorAndTheConfigurationButNotTheThreads) {
  model_.write(path("model.safetensors"), Dtype::kBf16);
  const std::string good = read(path("model.safetensors"));
  std::set<std::string> seen{load().hash};
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  EXPECT_EQ(load().hash, *seen.begin());
  omp_set_num_threads(threads);
  const std::vector<StoredTensor> tensors = SafetensorsFile(path("model.safetensors")).tensors();
  for (const StoredTensor& tensor : tensors) {
    std::string changed = good;
    changed[tensor.offset + tensor.bytes - 2] ^= 1;
    write("model.safetensors", changed);
    seen.insert(load().hash);
  }
  write("model.safetensors", good);
  model_.config.rotary_dim = 2;
  seen.insert(load().hash);
  model_.config.layer_norm_eps = 1e-6f;
  seen.insert(load().hash);
  EXPECT_EQ(seen.size(), 1 + tensors.size() + 2);

  model_ = TinyModel(tiny_config());
  std::swap(model_.tensors["model.layers.0.mlp.fc1.weight"], model_.tensors["model.layers.1.mlp.fc1.weight"]);
  model_.write(path("model.safetensors"), Dtype::kBf16);
  EXPECT_TRUE(seen.insert(load().hash).second);
}

TEST_F(WeightsLoadTest, NarrowingRoundsToNearestEvenAndKeepsSpecialValues) {
  model_ = TinyModel(tiny_config(1, 64, 1, 4, 1024));
  auto& embedding = model_.tensors["model.embed_tokens.weight"].values;
  for (std::size_t i = 0; i < 0x10000; ++i) embedding[i] = to_f32(f16{static_cast<std::uint16_t>(i)});
  for (const Dtype stored : {Dtype::kF16, Dtype::kF32}) {
    model_.write(path("model.safetensors"), stored);
    const Weights weights = load();
    for (std::int64_t i = 0; i < 0x10000; ++i) {
      const bf16 want = to_bf16(embedding[static_cast<std::size_t>(i)]);
      const bf16 got = weights.embedding.row<bf16>(i / 64)[i % 64];
      const bool both_nan = std::isnan(to_f32(want)) && std::isnan(to_f32(got));
      ASSERT_TRUE(got.bits == want.bits || both_nan) << i;
    }
  }
}

TEST_F(WeightsLoadTest, MissingForeignAndMisshapenTensorsAreNamed) {
  const TinyModel good = model_;
  model_.tensors.erase("model.layers.1.mlp.fc2.bias");
  refuse({"model.layers.1.mlp.fc2.bias is missing", "config.json"});
  model_ = good;
  model_.tensors["model.layers.1.mlp.fc1.weight"].shape = {24, 70};
  refuse({"model.layers.1.mlp.fc1.weight is F16 [24, 70]", "asks for [70, 24]"});
  model_ = good;
  model_.tensors["lm_head.bias"].shape = {1, 67};
  refuse({"lm_head.bias is F16 [1, 67]", "asks for [67]"});
  model_ = good;
  model_.add("model.layers.2.mlp.fc1.weight", {70, 24});
  refuse({"\"model.layers.2.mlp.fc1.weight\" has no place"});
  model_ = good;
  model_.add("model.layers.0.self_attn.rotary_emb.inv_freq", {3});
  model_.write(path("model.safetensors"), Dtype::kF16);
  expect_same(load(), good);
}

TEST_F(WeightsLoadTest, OtherTypesAreNamed) {
  model_.write(path("model.safetensors"), Dtype::kF16);
  std::string content = read(path("model.safetensors"));
  const std::size_t at = content.find("\"F16\"", content.find("model.embed_tokens"));
  content.replace(at, 5, "\"I16\"");
  write("model.safetensors", content);
  expect_error([&] { load(); }, {"model.embed_tokens.weight is I16 [67, 24]", "F32, F16 or BF16"});
}

TEST_F(WeightsLoadTest, DataMayBeUnaligned) {
  model_.write(path("model.safetensors"), Dtype::kF32);
  std::string content = read(path("model.safetensors"));
  std::uint64_t length = 0;
  std::memcpy(&length, content.data(), sizeof length);
  content.insert(sizeof length + length, " ");
  ++length;
  std::memcpy(content.data(), &length, sizeof length);
  write("model.safetensors", content);
  expect_same(load(), model_);
}

TEST_F(WeightsLoadTest, AFileCutAnywhereIsAnError) {
  model_ = TinyModel(tiny_config(1, 8, 1, 12, 20));
  model_.write(path("model.safetensors"), Dtype::kF16);
  const std::string whole = read(path("model.safetensors"));
  for (std::size_t size = 0; size < whole.size(); size += 1 + size % 61) {
    write("model.safetensors", whole.substr(0, size));
    expect_error([&] { load(); }, {"model.safetensors"});
  }
}

TEST_F(WeightsLoadTest, ProgressRisesToOneAndMayStop) {
  model_.write(path("model.safetensors"), Dtype::kF16);
  double last = 0;
  read_weights(directory_, model_.config, Dtype::kBf16, [&](std::string_view what, double fraction) {
    EXPECT_FALSE(what.empty());
    EXPECT_GT(fraction, last);
    last = fraction;
  });
  EXPECT_EQ(last, 1.0);
  const auto stop = [](std::string_view, double) { throw Error(ExitCode::kInterrupted, "stop"); };
  expect_error([&] { read_weights(directory_, model_.config, Dtype::kBf16, stop); }, {"stop"},
               ExitCode::kInterrupted);
}

TEST_F(WeightsLoadTest, MovingKeepsTheViews) {
  model_.write(path("model.safetensors"), Dtype::kF16);
  Weights first = load();
  const Weights second = std::move(first);
  expect_same(second, model_);
  EXPECT_GE(second.bytes(), static_cast<std::size_t>(2 * model_.config.parameters()));
}

/// Models that transformers wrote.
TEST(WeightsOfTransformers, Load) {
  const std::filesystem::path fixtures = std::filesystem::path(TRISECT_SOURCE_DIR) / "tests/fixtures/phi";
  int models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(fixtures)) {
    if (!std::filesystem::exists(entry.path() / "config.json")) continue;
    SCOPED_TRACE(entry.path().string());
    const ModelSource source = find_model(entry.path().string());
    const Checkpoint checkpoint(source.directory);
    for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
      const Weights weights = load_weights(source, dtype);
      EXPECT_EQ(weights.layers.size(), static_cast<std::size_t>(source.config.layers));
      const auto& [file, tensor] = checkpoint.tensors().at("lm_head.weight");
      Buffer stored(Dtype::kF32, 1, source.config.hidden);
      const std::size_t last = static_cast<std::size_t>(source.config.vocab - 1) * source.config.hidden;
      std::vector<std::byte> row(file->data(*tensor) + last * size_of(*tensor->floating()),
                                 file->data(*tensor) + tensor->bytes);
      convert(row.data(), *tensor->floating(), stored.data(), Dtype::kF32,
              static_cast<std::size_t>(source.config.hidden));
      for (std::int64_t i = 0; i < source.config.hidden; ++i) {
        EXPECT_NEAR(value(weights.head, i, source.config.vocab - 1), stored.as<float>()[i],
                    dtype == Dtype::kF32 ? 0.0 : 0.004 * std::abs(stored.as<float>()[i]));
      }
    }
    ++models;
  }
  if (models == 0) GTEST_SKIP() << "no fixtures in " << fixtures;
}

}  // namespace
}  // namespace trisect::phi2
