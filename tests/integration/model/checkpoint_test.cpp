#include "integration/phi2/model/checkpoint.hpp"

#include "tests/integration/model/scratch.hpp"
#include "tests/integration/model/tiny_model.hpp"

namespace trisect::phi2 {
namespace {

class CheckpointTest : public Scratch {
 protected:
  void write_tensors(const std::string& file, std::initializer_list<const char*> names) {
    std::vector<NamedTensor> tensors;
    for (const char* name : names) tensors.push_back({name, values_.view(), {}});
    write_safetensors(path(file), tensors);
  }
  void refuse(const std::string& index, std::initializer_list<std::string> parts) {
    SCOPED_TRACE(index);
    write("model.safetensors.index.json", index);
    expect_error([&] { Checkpoint{directory_}; }, parts);
  }

  Buffer values_{Dtype::kF32, 1, 4};
};

TEST_F(CheckpointTest, ASingleFileWinsOverAnIndex) {
  write_tensors("model.safetensors", {"a", "b"});
  write("model.safetensors.index.json", "broken");
  const Checkpoint checkpoint(directory_);
  EXPECT_EQ(checkpoint.tensors().size(), 2u);
  EXPECT_EQ(checkpoint.listing(), path("model.safetensors"));
}

TEST_F(CheckpointTest, CollectsShards) {
  write_tensors("one.safetensors", {"a", "c"});
  write_tensors("two.safetensors", {"b"});
  write("model.safetensors.index.json", R"({"metadata": {"total_size": 48}, "weight_map":
      {"a": "one.safetensors", "b": "two.safetensors", "c": "one.safetensors"}})");
  const Checkpoint checkpoint(directory_);
  ASSERT_EQ(checkpoint.tensors().size(), 3u);
  EXPECT_EQ(checkpoint.tensors().at("b").file->path(), path("two.safetensors"));
  EXPECT_EQ(checkpoint.tensors().at("c").tensor->name, "c");
  EXPECT_EQ(checkpoint.listing(), path("model.safetensors.index.json"));
}

TEST_F(CheckpointTest, RefusesAnEmptyDirectoryAndBrokenIndices) {
  expect_error([&] { Checkpoint{directory_}; },
               {directory_.string(), "model.safetensors", "save_pretrained"});
  refuse("{", {"index.json", "JSON"});
  refuse("[]", {"index.json", "weight_map"});
  refuse("{}", {"weight_map"});
  refuse(R"({"weight_map": []})", {"weight_map"});
  refuse(R"({"weight_map": {}})", {"weight_map"});
  refuse(R"({"weight_map": {"a": 3}})", {"\"a\"", "3"});
}

TEST_F(CheckpointTest, RefusesShardsOutsideTheDirectory) {
  std::filesystem::create_directory(path("inner"));
  write_tensors("outside.safetensors", {"a"});
  for (const char* shard :
       {"../outside.safetensors", "/outside.safetensors", "x/../outside.safetensors", "..", ""}) {
    const auto index = write("inner/model.safetensors.index.json",
                             R"({"weight_map": {"a": ")" + std::string(shard) + "\"}}");
    expect_error([&] { Checkpoint{path("inner")}; }, {index.string(), "directory", shard});
  }
  refuse("{\"weight_map\": {\"a\": \"x\\u0000y\"}}", {"directory"});
  refuse(R"({"weight_map": {"a": "."}})", {"not a regular file"});
}

TEST_F(CheckpointTest, RefusesShardsThatDisagreeWithTheIndex) {
  write_tensors("one", {"a"});
  write_tensors("two", {"b"});
  refuse(R"({"weight_map": {"a": "one", "b": "three"}})", {"\"three\"", "missing"});
  refuse(R"({"weight_map": {"a": "one", "b": "one"}})", {"\"b\" is not in one"});
  refuse(R"({"weight_map": {"a": "two", "b": "one"}})", {"is not in"});
  write_tensors("two", {"b", "a"});
  refuse(R"({"weight_map": {"a": "one", "b": "two"}})", {"two", "\"a\" is in another shard too"});
  write("two", "not safetensors");
  refuse(R"({"weight_map": {"a": "one", "b": "two"}})", {"two", "damaged"});
}

}  // namespace
}  // namespace trisect::phi2
