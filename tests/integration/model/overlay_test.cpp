// overlay.json: models that have only what they change.
#include "integration/phi2/model/overlay.hpp"

#include "integration/phi2/model/checkpoint.hpp"
#include "integration/phi2/model/weights.hpp"
#include "tests/integration/model/scratch.hpp"
#include "tests/integration/model/tiny_model.hpp"

namespace trisect::phi2 {
namespace {

/// base/ has a model, over/ another embedding for it.
class OverlayTest : public Scratch {
 protected:
  OverlayTest() : base_(tiny_config()), over_(tiny_config(2, 24, 2, 70, 80)) {
    write("base/config.json", base_.config_json());
    base_.write(path("base/model.safetensors"), Dtype::kF32);
    write("over/config.json", over_.config_json());
    over_.write(path("over/model.safetensors"), Dtype::kF32, table);
    describe(R"({"format": "trisect-overlay", "version": 1, "base": "../base"})");
  }
  static bool table(const std::string& name) {
    return name == "model.embed_tokens.weight" || name.starts_with("lm_head");
  }
  void describe(const std::string& json) const { write("over/overlay.json", json); }
  void refuse(const std::string& json, std::initializer_list<std::string> parts) {
    SCOPED_TRACE(json);
    describe(json);
    expect_error([&] { Checkpoint{path("over")}; }, parts);
  }
  Weights load(const std::string& directory, const Config& config) const {
    return read_weights(path(directory), config, Dtype::kF32);
  }

  TinyModel base_, over_;
};

TEST_F(OverlayTest, TakesTheRestFromTheBase) {
  const Checkpoint checkpoint(path("over"));
  EXPECT_EQ(checkpoint.tensors().size(), base_.tensors.size());
  for (const auto& [name, entry] : checkpoint.tensors()) {
    const std::string from = table(name) ? "over" : "base";
    EXPECT_EQ(entry.file->path().parent_path().filename(), from) << name;
  }
  EXPECT_EQ(load("over", over_.config).embedding.rows, 80);
}

TEST_F(OverlayTest, IsTheSameModelAsOneThatHasAllTensors) {
  for (const auto& [name, tensor] : base_.tensors) {
    if (!table(name)) over_.tensors[name] = tensor;
  }
  write("whole/config.json", over_.config_json());
  over_.write(path("whole/model.safetensors"), Dtype::kF32);
  const std::string hash = load("whole", over_.config).hash;
  EXPECT_EQ(load("over", over_.config).hash, hash);
  describe(R"({"format": "trisect-overlay", "version": 1, "base": "../base", "hash": ")" + hash + "\"}");
  EXPECT_EQ(load("over", over_.config).hash, hash);
}

TEST_F(OverlayTest, AnotherBaseIsRefused) {
  describe(R"({"format": "trisect-overlay", "version": 1, "base": "../base", "hash": "0123456789abcdef"})");
  expect_error([&] { load("over", over_.config); },
               {"overlay.json", "0123456789abcdef", "another version of that model"});
}

TEST_F(OverlayTest, WithoutTheFileThereIsNone) {
  EXPECT_FALSE(find_overlay(path("base")));
  std::filesystem::remove(path("over/overlay.json"));
  expect_error([&] { load("over", over_.config); }, {"is missing"});
}

TEST_F(OverlayTest, BrokenFilesAreRefused) {
  refuse("{", {"overlay.json", "JSON"});
  refuse("[]", {"must be an object"});
  refuse(R"({"format": "x", "version": 1, "base": "../base"})", {"format"});
  refuse(R"({"format": "trisect-overlay", "version": 2, "base": "../base"})", {"version"});
  refuse(R"({"format": "trisect-overlay", "version": 1})", {"base"});
  refuse(R"({"format": "trisect-overlay", "version": 1, "base": ""})", {"base"});
  refuse(R"({"format": "trisect-overlay", "version": 1, "base": "../base", "hash": 1})", {"hash"});
  refuse(R"({"format": "trisect-overlay", "version": 1, "base": "../base", "more": 1})", {"\"more\""});
  refuse(R"({"format": "trisect-overlay", "version": 1, "base": "../none"})", {"none", "base model"});
  refuse(R"({"format": "trisect-overlay", "version": 1, "base": "."})", {"is an overlay itself"});
}

}  // namespace
}  // namespace trisect::phi2
