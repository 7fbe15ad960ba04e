// Models that cannot be used: one line with file and remedy, exit code 3.
#include "tests/cli/phi2_program.hpp"

namespace trisect::test {
namespace {

namespace fs = std::filesystem;

class Phi2Model : public Phi2Test {
 protected:
  Finished generate(const std::string& model) const {
    return phi2({"generate", "--model", model, "--max-new-tokens", "2"});
  }
  /// A copy of a fixture whose config.json has one other value.
  std::string with_config(const std::string& key, const nlohmann::json& value) const {
    const std::string model = copy_of_fixture("head32_f32");
    nlohmann::json config = read_json(model + "/config.json");
    config[key] = value;
    write("head32_f32/config.json", config.dump());
    return model;
  }
};

TEST_F(Phi2Model, TheUnchangedCopyIsGood) { EXPECT_EQ(generate(copy_of_fixture("head32_f32")).code, 0); }

TEST_F(Phi2Model, Missing) {
  expect_complaint(generate(path("nowhere")), 3, "not found");
  expect_complaint(generate("phi-giant"), 3, "not found");
  expect_complaint(generate("nobody/nothing"), 3, "not found");
  expect_complaint(generate("synthetic:phi-9"), 2, "synthetic:phi-2");
}

TEST_F(Phi2Model, WithoutWeights) {
  const std::string model = copy_of_fixture("head32_f32");
  fs::remove(model + "/model.safetensors");
  expect_complaint(generate(model), 3, "model.safetensors");
}

TEST_F(Phi2Model, Truncated) {
  const std::string model = copy_of_fixture("head32_f32"), file = model + "/model.safetensors";
  const auto size = fs::file_size(file);
  for (const std::uintmax_t left :
       {size - 1, size / 2, std::uintmax_t{100}, std::uintmax_t{7}, std::uintmax_t{0}}) {
    fs::resize_file(file, left);
    expect_complaint(generate(model), 3, "model.safetensors");
  }
}

TEST_F(Phi2Model, HeaderThatLies) {
  const std::string model = copy_of_fixture("head32_f32");
  write("head32_f32/model.safetensors", std::string(8, '\xff') + "{}");
  expect_complaint(generate(model), 3, "model.safetensors");
}

TEST_F(Phi2Model, WrongShapes) {
  const int intermediate =
      read_json(source("tests/fixtures/phi/head32_f32/config.json")).at("intermediate_size").get<int>();
  expect_complaint(generate(with_config("intermediate_size", intermediate + 1)), 3, "model.safetensors");
}

TEST_F(Phi2Model, UnknownArchitecture) {
  const std::string model = with_config("model_type", "llama");
  expect_complaint(generate(model), 3, "llama");
}

TEST_F(Phi2Model, BrokenConfiguration) {
  const std::string model = copy_of_fixture("head32_f32");
  write("head32_f32/config.json", "{\"hidden_size\": ");
  expect_complaint(generate(model), 3, "config.json");
}

TEST_F(Phi2Model, BrokenTokenizer) {
  const std::string model = copy_of_fixture("head32_f32");
  write("head32_f32/tokenizer.json", "{\"model\": {\"type\": \"BPE\"");
  expect_complaint(generate(model), 3, "tokenizer.json");
}

TEST_F(Phi2Model, TokenizerOfAnotherModel) {
  expect_complaint(phi2({"generate", "--model", copy_of_fixture("head32_f32"), "--tokenizer", phi_mini(),
                         "--prompt", "x"}),
                   3, "of another model");
}

}  // namespace
}  // namespace trisect::test
