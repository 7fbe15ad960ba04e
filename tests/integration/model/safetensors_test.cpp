#include "integration/phi2/model/safetensors.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "kernels/core/buffer.hpp"
#include "kernels/core/random.hpp"
#include "tests/integration/model/scratch.hpp"

namespace trisect::phi2 {
namespace {

class SafetensorsTest : public Scratch {
 protected:
  std::filesystem::path file(const std::string& header, const std::string& data = "") {
    std::uint64_t length = header.size();
    std::string content(sizeof length, '\0');
    std::memcpy(content.data(), &length, sizeof length);
    return write("model.safetensors", content + header + data);
  }
  void refuse(const std::string& header, const std::string& data, std::initializer_list<std::string> parts) {
    SCOPED_TRACE(header);
    const auto name = file(header, data);
    expect_error([&] { SafetensorsFile{name}; }, {name.string()});
    expect_error([&] { SafetensorsFile{name}; }, parts);
  }
  void refuse_content(const std::string& content, std::initializer_list<std::string> parts) {
    const auto name = write("model.safetensors", content);
    expect_error([&] { SafetensorsFile{name}; }, {name.string()});
    expect_error([&] { SafetensorsFile{name}; }, parts);
  }
};

TEST_F(SafetensorsTest, WhatIsWrittenIsReadBack) {
  Buffer a(Dtype::kF32, 3, 5), b(Dtype::kBf16, 4, 8), c(Dtype::kI32, 1, 1), d(Dtype::kF16, 1, 3);
  fill_normal(a.view(), 1, 1);
  fill_normal(b.view(), 2, 1);
  fill_normal(d.view(), 3, 1);
  const View strided = b.view().columns(1, 5);
  const std::vector<NamedTensor> tensors{{"a", a.view(), {}},
                                         {"b.strided", strided, {2, 2, 5}},
                                         {"sc\"al\nar", c.view(), {1}},
                                         {"d", d.view(), {3}}};
  write_safetensors(path("out.safetensors"), tensors, {{"format", "test"}, {"note", "ünï\"code\n"}});

  const SafetensorsFile read(path("out.safetensors"));
  EXPECT_EQ(read.metadata(), (Metadata{{"format", "test"}, {"note", "ünï\"code\n"}}));
  ASSERT_EQ(read.tensors().size(), 4u);
  EXPECT_EQ(read.find("absent"), nullptr);
  const StoredTensor* stored = read.find("a");
  ASSERT_NE(stored, nullptr);
  EXPECT_EQ(stored->describe(), "F32 [3, 5]");
  EXPECT_EQ(stored->floating(), Dtype::kF32);
  EXPECT_EQ(stored->offset % 64, 0u);
  EXPECT_EQ(std::memcmp(read.data(*stored), a.data(), a.bytes()), 0);
  stored = read.find("b.strided");
  ASSERT_NE(stored, nullptr);
  EXPECT_EQ(stored->describe(), "BF16 [2, 2, 5]");
  for (std::int64_t r = 0; r < 4; ++r) {
    EXPECT_EQ(std::memcmp(read.data(*stored) + r * 10, strided.byte_row(r), 10), 0);
  }
  EXPECT_EQ(read.find("sc\"al\nar")->floating(), std::nullopt);
  EXPECT_EQ(read.find("d")->dtype, "F16");
  read.drop(*stored);
  EXPECT_EQ(std::memcmp(read.data(*stored), strided.byte_row(0), 10), 0) << "dropped pages come back";
}

TEST_F(SafetensorsTest, AcceptsWhatTheFormatAllows) {
  EXPECT_TRUE(SafetensorsFile(file("{}")).tensors().empty());
  EXPECT_TRUE(SafetensorsFile(file("{}   ")).tensors().empty());
  const SafetensorsFile read(file(R"({"empty":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},
      "scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
      "new":{"dtype":"F4","shape":[8],"data_offsets":[4,8],"more":1}})",
                                  "abcdefgh"));
  EXPECT_EQ(read.find("scalar")->bytes, 4u);
  EXPECT_EQ(read.find("empty")->bytes, 0u);
  EXPECT_EQ(read.find("new")->floating(), std::nullopt);
  EXPECT_EQ(std::memcmp(read.data(*read.find("new")), "efgh", 4), 0);
}

TEST_F(SafetensorsTest, RefusesHeadersThatCannotBe) {
  refuse_content("", {"empty"});
  refuse_content("1234567", {"7 bytes"});
  refuse_content(std::string("\x08\0\0\0\0\0\0\0{}", 10), {"8 bytes does not end"});
  refuse_content(std::string(16, '\xff'), {"beyond"});
  refuse_content(std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10), {"100000001", "100000000"});
  refuse_content("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", {"git lfs pull"});
  refuse("", "", {"begin"});
  refuse(" {}", "", {"begin"});
  refuse("{", "", {"JSON"});
  refuse("{} {}", "", {"JSON"});
  refuse(std::string("{}\0 ", 4), "", {"NUL"});
  refuse("{\"\xc3\x28\":{}}", "", {"JSON"});
  refuse("{" + std::string(5000, '['), "", {"model.safetensors"});
  refuse("{\"a\":" + std::string(5000, '['), "", {"nested"});
  refuse(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
      "ab", {"\"a\"", "twice"});
  refuse(R"({"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", "a", {"twice"});
  refuse(R"({"__metadata__":{"a":1}})", "", {"not a string"});
  refuse(R"({"__metadata__":[]})", "", {"not an object"});
}

TEST_F(SafetensorsTest, RefusesEntriesThatLie) {
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"a\nb":{"dtype":)" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
  };
  const std::string four = "abcd";
  refuse(R"({"a":3})", "", {"not an object"});
  refuse(R"({"a":{}})", "", {"dtype"});
  refuse(entry("3", "[4]", "[0,4]"), four, {"dtype"});
  for (const char* shape : {"null", "4", "[4.0]", "[-4]", "[\"4\"]", "[[4]]", "[4e0]", "{\"4\":4}"}) {
    refuse(entry("\"U8\"", shape, "[0,4]"), four, {"shape"});
  }
  for (const char* offsets : {"null", "[]", "[0]", "[0,4,8]", "[4,0]", "[0.0,4.0]", "[-4,0]"}) {
    refuse(entry("\"U8\"", "[4]", offsets), four, {"data_offsets"});
  }
  refuse(entry("\"U8\"", "[5]", "[0,5]"), four, {"ends at byte 5 of 4"});
  refuse(entry("\"U8\"", "[4]", "[18446744073709551615,18446744073709551615]"), four, {"ends at byte"});
  refuse(entry("\"U8\"", "[4]", "[0,36893488147419103232]"), four, {"data_offsets"});
  refuse(entry("\"F32\"", "[2]", "[0,4]"), four, {"F32 [2] does not take the 4 bytes"});
  refuse(entry("\"U8\"", "[0]", "[0,4]"), four, {"does not take"});
  refuse(entry("\"F32\"", "[4611686018427387905]", "[0,4]"), four, {"does not take"});  // * 4 wraps to 4
  refuse(entry("\"U8\"", "[4294967296,4294967296,4]", "[0,4]"), four, {"overflows"});
  refuse(entry("\"U8\"", "[18446744073709551615]", "[0,4]"), four, {"overflows"});
  refuse(entry("\"F4\"", "[18446744073709551615]", "[0,4]"), four, {"overflows"});
}

TEST_F(SafetensorsTest, RefusesOverlapAndHoles) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + b + "}}";
  };
  EXPECT_EQ(SafetensorsFile(file(two("[2,4]", "[0,2]"), "abcd")).tensors()[0].name, "b");
  refuse(two("[0,2]", "[1,3]"), "abc", {"\"b\" overlaps"});
  refuse(two("[0,2]", "[0,2]"), "ab", {"overlaps"});
  refuse(two("[0,2]", "[3,5]"), "abcde", {"1 unused bytes before tensor \"b\""});
  refuse(two("[1,3]", "[3,5]"), "abcde", {"1 unused bytes before tensor \"a\""});
  refuse(two("[0,2]", "[2,4]"), "abcde", {"1 unused bytes at the end"});
  refuse("{}", "a", {"1 unused bytes"});
}

TEST_F(SafetensorsTest, RefusesWhatIsNoFile) {
  expect_error([&] { SafetensorsFile{path("absent")}; }, {"absent", "No such file"});
  expect_error([&] { SafetensorsFile{directory_}; }, {"not a regular file"});
  expect_error([&] { SafetensorsFile{"/dev/zero"}; }, {"not a regular file"});
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  expect_error([&] { SafetensorsFile{path("pipe")}; }, {"not a regular file"});
}

TEST_F(SafetensorsTest, DamagedHeadersNeverCrash) {
  Buffer values(Dtype::kF32, 2, 8);
  const std::vector<NamedTensor> tensors{{"first", values.view(), {}}, {"second", values.view(), {16}}};
  write_safetensors(path("good"), tensors, {{"format", "test"}});
  const std::string good = read(path("good"));
  const std::size_t header = good.size() - 2 * values.bytes();
  int refused = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    std::string bad = good;
    for (std::uint64_t n = 0; n <= i % 3; ++n) {
      const std::uint64_t bits = random_bits(i, n);
      bad[bits % header] =
          i % 2 == 0 ? static_cast<char>(bits >> 32) : "0123456789{}[]\",:e.-"[(bits >> 32) % 20];
    }
    try {
      const SafetensorsFile read(write("bad", bad));
      std::size_t bytes = 0;
      for (const StoredTensor& tensor : read.tensors()) bytes += tensor.bytes;
      EXPECT_LE(bytes, bad.size());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kEnvironment);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      ++refused;
    }
  }
  EXPECT_GT(refused, 2000);
}

TEST_F(SafetensorsTest, PagesThatAFileLostAreNoticed) {
  const std::string data(1 << 20, 'x');
  const auto name = file(R"({"a":{"dtype":"U8","shape":[1048576],"data_offsets":[0,1048576]}})", data);
  const SafetensorsFile read(name);
  const StoredTensor& tensor = read.tensors()[0];
  EXPECT_TRUE(read.mapping().populate(tensor.offset, tensor.bytes));
  ASSERT_EQ(truncate(name.c_str(), 5000), 0);
  EXPECT_FALSE(read.mapping().populate(tensor.offset, tensor.bytes));
}

TEST_F(SafetensorsTest, AFailedWriteLeavesNothingAndSaysWhy) {
  const Buffer values(Dtype::kF32, 64, 1024);
  const std::vector<NamedTensor> tensors{{"a", values.view(), {}}};
  const auto entries = [&] {
    return std::distance(std::filesystem::directory_iterator(directory_),
                         std::filesystem::directory_iterator());
  };
  expect_error([&] { write_safetensors(path("absent/out"), tensors); }, {"absent/out", "No such file"});
  write("plain", "x");
  expect_error([&] { write_safetensors(path("plain/out"), tensors); }, {"plain/out", "Not a directory"});
  std::filesystem::create_directory(path("taken"));
  expect_error([&] { write_safetensors(path("taken"), tensors); }, {"taken", "Is a directory"});
  EXPECT_EQ(entries(), 2);

  // A limit on file sizes fails in the middle of the data, as a full disk does.
  write_safetensors(path("kept"), std::vector<NamedTensor>{{"small", values.view().rows_from(0, 1), {}}});
  const std::string before = read(path("kept"));
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlim_t soft = std::exchange(limit.rlim_cur, 100'000);
  std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  expect_error([&] { write_safetensors(path("kept"), tensors); }, {"kept", "File too large"});
  limit.rlim_cur = soft;
  setrlimit(RLIMIT_FSIZE, &limit);
  EXPECT_EQ(read(path("kept")), before);
  EXPECT_EQ(entries(), 3);
}

TEST_F(SafetensorsTest, AFullDiskIsNamed) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  const std::string temporary = "out." + std::to_string(getpid()) + ".tmp";
  std::filesystem::create_symlink("/dev/full", path(temporary));
  const Buffer values(Dtype::kF32, 1, 16);
  const std::vector<NamedTensor> tensors{{"a", values.view(), {}}};
  expect_error([&] { write_safetensors(path("out"), tensors); }, {"out", "No space left"});
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

}  // namespace
}  // namespace trisect::phi2
