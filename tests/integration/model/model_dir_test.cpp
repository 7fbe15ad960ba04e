#include "integration/phi2/model/model_dir.hpp"

#include <cstdlib>

#include "tests/integration/model/scratch.hpp"
#include "tests/integration/model/tiny_model.hpp"

namespace trisect::phi2 {
namespace {

namespace fs = std::filesystem;

class ModelDirTest : public Scratch {
 protected:
  ModelDirTest() {
    for (const char* name : {"TRISECT_MODELS", "HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"}) unsetenv(name);
    setenv("HOME", path("home").c_str(), 1);
    fs::create_directory(path("work"));
    fs::current_path(path("work"));
  }
  ~ModelDirTest() override { fs::current_path("/"); }

  /// A directory with a configuration of so many layers, to be told from others by it.
  fs::path model(const std::string& name, int layers) {
    write(name + "/config.json", TinyModel(tiny_config(layers)).config_json());
    return path(name);
  }
};

TEST_F(ModelDirTest, ADirectory) {
  const fs::path directory = model("work/some-model", 3);
  for (const std::string& argument :
       {directory.string(), std::string("./some-model"), std::string("some-model")}) {
    const ModelSource source = find_model(argument);
    EXPECT_EQ(source.name, argument);
    EXPECT_TRUE(fs::equivalent(source.directory, directory));
    EXPECT_EQ(source.config.layers, 3);
    EXPECT_FALSE(source.synthetic());
  }
}

TEST_F(ModelDirTest, ShippedModelsComeBeforeTheWorkingDirectory) {
  model("work/phi-mini", 1);
  const fs::path shipped = model("models/phi-mini", 2);
  setenv("TRISECT_MODELS", path("models").c_str(), 1);
  EXPECT_EQ(find_model("phi-mini").directory, shipped);
  EXPECT_EQ(find_model("./phi-mini").config.layers, 1);
}

TEST_F(ModelDirTest, Synthetic) {
  const ModelSource source = find_model("synthetic:phi-2");
  EXPECT_TRUE(source.synthetic());
  EXPECT_EQ(source.config.parameters(), 2'779'683'840);
  EXPECT_TRUE(find_model("synthetic:phi-mini").synthetic());
  expect_error([] { find_model("synthetic:phi-9"); }, {"phi-9", "synthetic:phi-1.5"}, ExitCode::kUsage);
  const ModelSource few = find_model("synthetic:phi-2:4");
  EXPECT_EQ(few.config.layers, 4);
  EXPECT_EQ(few.config.hidden, source.config.hidden);
  for (const char* wrong :
       {"synthetic:phi-2:0", "synthetic:phi-2:33", "synthetic:phi-2:", "synthetic:phi-2:4x"})
    expect_error([&] { find_model(wrong); }, {"number of layers", "1 to 32"}, ExitCode::kUsage);
}

TEST_F(ModelDirTest, TheHubCacheIsWhereHuggingFaceLooks) {
  const std::string repository = "/models--microsoft--phi-2/";
  model("home/.cache/huggingface/hub" + repository + "snapshots/one", 1);
  EXPECT_EQ(find_model("microsoft/phi-2").config.layers, 1);
  model("xdg/huggingface/hub" + repository + "snapshots/two", 2);
  setenv("XDG_CACHE_HOME", path("xdg").c_str(), 1);
  EXPECT_EQ(find_model("microsoft/phi-2").config.layers, 2);
  model("hf/hub" + repository + "snapshots/three", 3);
  setenv("HF_HOME", path("hf").c_str(), 1);
  EXPECT_EQ(find_model("microsoft/phi-2").config.layers, 3);
  const fs::path named = model("cache" + repository + "snapshots/four", 4);
  setenv("HF_HUB_CACHE", path("cache").c_str(), 1);
  EXPECT_EQ(find_model("microsoft/phi-2").directory, named);

  model("cache" + repository + "snapshots/five", 5);
  expect_error([] { find_model("microsoft/phi-2"); }, {"microsoft/phi-2", "cache/models--microsoft--phi-2"});
  write("cache" + repository + "refs/main", "five");
  EXPECT_EQ(find_model("microsoft/phi-2").config.layers, 5);

  model("work/microsoft/phi-2", 6);
  EXPECT_EQ(find_model("microsoft/phi-2").config.layers, 6) << "a directory of that name comes first";
}

TEST_F(ModelDirTest, AMissingModelSaysWhereItWasSought) {
  setenv("TRISECT_MODELS", path("models").c_str(), 1);
  expect_error([] { find_model("phi-nano"); },
               {"--model phi-nano", path("models/phi-nano").string(), "integration/models/phi-nano",
                "share/trisect/models/phi-nano", "synthetic:phi-2"});
  expect_error([] { find_model("microsoft/phi-2"); },
               {"home/.cache/huggingface/hub/models--microsoft--phi-2", "huggingface-cli download"});
  expect_error([] { find_model("/no/such/place"); }, {"/no/such/place", "not found"});
  expect_error([] { find_model("../nowhere"); }, {"../nowhere"});
  expect_error([] { find_model(""); }, {"--model"}, ExitCode::kUsage);
}

TEST_F(ModelDirTest, ADirectoryWithoutAConfigurationIsNoModel) {
  fs::create_directory(path("work/empty"));
  expect_error([] { find_model("./empty"); }, {"./empty", "config.json"});
  write("work/bad/config.json", "{}");
  expect_error([] { find_model("./bad"); }, {"./bad/config.json", "model_type"});
}

}  // namespace
}  // namespace trisect::phi2
