// patch(load()): rows of new tokens, and nothing else changed.
#include "integration/phi2/model/patch_weights.hpp"

#include <cmath>

#include "tests/integration/model/scratch.hpp"
#include "tests/integration/model/tiny_model.hpp"

namespace trisect::phi2 {
namespace {

class PatchWeights : public Scratch {
 protected:
  static constexpr int kVocab = 67;

  PatchWeights() : model_(tiny_config()) {
    write("model/config.json", model_.config_json());
    model_.write(path("model/model.safetensors"), Dtype::kF32);
  }
  Weights load(int vocab = 0, Dtype dtype = Dtype::kF32) const {
    return read_weights(path("model"), model_.config, dtype, {}, vocab);
  }
  double embedding(int token, int h) const {
    return model_.tensors.at("model.embed_tokens.weight").at(token, h);
  }
  double head(int token, int h) const { return model_.tensors.at("lm_head.weight").at(token, h); }
  double bias(int token) const {
    return model_.tensors.at("lm_head.bias").values[static_cast<std::size_t>(token)];
  }

  /// 60 of 67 rows are in use: two new tokens go into the padding, twelve beyond it.
  static PatchVocabulary extended() {
    PatchVocabulary v;
    v.base_tokens = 60;
    for (int i = 0; i < 14; ++i) v.added.push_back({60 + i, {i, i + 1}});
    v.added[1].parts = {5, 9, 7};
    return v;
  }

  TinyModel model_;
};

TEST_F(PatchWeights, NewRowsAreWeightedMeansOfTheirParts) {
  const PatchVocabulary vocabulary = extended();
  const Weights before = load();
  const Weights after = patch(load(vocabulary.size()), vocabulary);
  ASSERT_EQ(after.config.vocab, 74);
  ASSERT_EQ(after.embedding.rows, 74);
  ASSERT_EQ(after.head.cols, 74);
  EXPECT_NE(after.hash, before.hash);
  for (int h = 0; h < model_.config.hidden; ++h) {
    for (int token = 0; token < 60; ++token) {
      ASSERT_EQ(after.embedding.row<float>(token)[h], embedding(token, h));
      ASSERT_EQ(after.head.row<float>(h)[token], head(token, h));
    }
    EXPECT_NEAR(after.embedding.row<float>(60)[h], (embedding(0, h) + 2 * embedding(1, h)) / 3, 1e-6);
    EXPECT_NEAR(after.embedding.row<float>(61)[h],
                (embedding(5, h) + 2 * embedding(9, h) + 4 * embedding(7, h)) / 7, 1e-6);
    EXPECT_NEAR(after.head.row<float>(h)[60], (2 * head(0, h) + head(1, h)) / 3, 1e-6);
    EXPECT_NEAR(after.head.row<float>(h)[61], (4 * head(5, h) + 2 * head(9, h) + head(7, h)) / 7, 1e-6);
  }
  EXPECT_NEAR(after.head_bias.row<float>()[61], (4 * bias(5) + 2 * bias(9) + bias(7)) / 7, 1e-6);
  EXPECT_NEAR(after.head_bias.row<float>()[73], (2 * bias(13) + bias(14)) / 3, 1e-6);
  const Weights again = patch(load(vocabulary.size()), vocabulary);
  EXPECT_EQ(again.hash, after.hash);
}

TEST_F(PatchWeights, WithinThePaddingTheTablesKeepTheirSize) {
  PatchVocabulary vocabulary = extended();
  vocabulary.added.resize(2);
  const Weights after = patch(load(vocabulary.size()), vocabulary);
  EXPECT_EQ(after.config.vocab, kVocab);
  for (int h = 0; h < model_.config.hidden; ++h) {
    EXPECT_EQ(after.embedding.row<float>(66)[h], embedding(66, h)) << "what is left of the padding stays";
  }
}

TEST_F(PatchWeights, MovedTokensTakeTheirRowsAlong) {
  PatchVocabulary vocabulary;
  vocabulary.base_tokens = 60;
  vocabulary.removed = {{3, {1, 2}}};
  vocabulary.moved = {{0, 3}, {59, 0}};  // 59 is free
  vocabulary.added = {{59, {0, 59}}};
  validate(vocabulary, "test");
  const Weights after = patch(load(), vocabulary);
  for (int h = 0; h < model_.config.hidden; ++h) {
    EXPECT_EQ(after.embedding.row<float>(3)[h], embedding(0, h));
    EXPECT_EQ(after.embedding.row<float>(0)[h], embedding(59, h));
    EXPECT_NEAR(after.embedding.row<float>(59)[h], (embedding(0, h) + 2 * embedding(59, h)) / 3, 1e-6);
    EXPECT_EQ(after.head.row<float>(h)[3], head(0, h));
  }
  EXPECT_EQ(after.head_bias.row<float>()[0], bias(59));
}

TEST_F(PatchWeights, Controls) {
  PatchVocabulary vocabulary = extended();
  vocabulary.init = InitKind::kMean;
  const Weights mean = patch(load(vocabulary.size()), vocabulary);
  for (int h = 0; h < model_.config.hidden; ++h) {
    EXPECT_NEAR(mean.embedding.row<float>(60)[h], (embedding(0, h) + embedding(1, h)) / 2, 1e-6);
    EXPECT_NEAR(mean.head.row<float>(h)[60], (head(0, h) + head(1, h)) / 2, 1e-6);
  }
  vocabulary.init = InitKind::kRandom;
  const Weights random = patch(load(vocabulary.size()), vocabulary);
  double squares = 0, base_squares = 0;
  for (int h = 0; h < model_.config.hidden; ++h) {
    for (int i = 0; i < 14; ++i) squares += std::pow(random.embedding.row<float>(60 + i)[h], 2) / 14;
    for (int i = 0; i < 60; ++i) base_squares += std::pow(embedding(i, h), 2) / 60;
  }
  EXPECT_NEAR(squares / base_squares, 1, 0.25);
  EXPECT_NE(random.embedding.row<float>(60)[0], random.embedding.row<float>(61)[0]);
}

TEST_F(PatchWeights, Bf16IsRoundedOnce) {
  const PatchVocabulary vocabulary = extended();
  const Weights wide = patch(load(vocabulary.size()), vocabulary);
  const Weights narrow = patch(load(vocabulary.size(), Dtype::kBf16), vocabulary);
  for (int h = 0; h < model_.config.hidden; ++h) {  // the tiny model's values are exact in bf16
    EXPECT_EQ(narrow.embedding.row<bf16>(61)[h].bits, to_bf16(wide.embedding.row<float>(61)[h]).bits);
    EXPECT_EQ(narrow.head.row<bf16>(h)[61].bits, to_bf16(wide.head.row<float>(h)[61]).bits);
  }
}

TEST_F(PatchWeights, RefusesTablesThatAreTooSmall) {
  expect_error([&] { patch(load(), extended()); }, {"74", "67 rows"}, ExitCode::kUsage);
}

}  // namespace
}  // namespace trisect::phi2
