// What programs that measure share: whole files, Ctrl-C, the bandwidth probe, the environment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "kernels/core/atomic_file.hpp"
#include "kernels/core/bandwidth_probe.hpp"
#include "kernels/core/environment_json.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class AtomicFile : public ::testing::Test {
 protected:
  AtomicFile() { fs::create_directory(directory_); }
  ~AtomicFile() override { fs::remove_all(directory_); }

  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string refusal(const fs::path& path) {
    try {
      write_atomically(path, "text");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kEnvironment);
      return error.what();
    }
    return "";
  }

  const fs::path directory_ = fs::path(::testing::TempDir()) / ("atomic_file_" + std::to_string(getpid()));
};

TEST_F(AtomicFile, WritesAndReplaces) {
  const fs::path path = directory_ / "file";
  write_atomically(path, std::string(100000, 'a'));
  write_atomically(path, std::string_view("b\0c", 3));
  EXPECT_EQ(read(path), std::string("b\0c", 3));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);  // nothing temporary is left
}

TEST_F(AtomicFile, NamesThePathThatCannotBeWritten) {
  EXPECT_THAT(refusal(directory_ / "no" / "file"), AllOf(HasSubstr("no/file"), HasSubstr("No such file")));
  EXPECT_THAT(refusal(directory_), HasSubstr("directory"));
}

TEST_F(AtomicFile, NoticesAFullDisk) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  EXPECT_THAT(refusal("/dev/full"), AllOf(HasSubstr("/dev/full"), HasSubstr("No space left")));
}

TEST_F(AtomicFile, KeepsTheOldContentWhenTheNewDoesNotFit) {
  const fs::path path = directory_ / "file";
  write_atomically(path, "old");
  fs::create_directory(directory_ / "file.partial");  // stands in the way
  EXPECT_NE(refusal(path), "");
  EXPECT_EQ(read(path), "old");
}

TEST(InterruptDeathTest, TheFirstSignalIsRemembered) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  for (const int signal : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          watch_interrupts();
          const bool before = interrupted();
          raise(signal);
          std::exit(!before && interrupted() ? 0 : 1);
        },
        ::testing::ExitedWithCode(0), "");
  }
}

TEST(InterruptDeathTest, TheSecondSignalKills) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        watch_interrupts();
        raise(SIGINT);
        raise(SIGINT);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

TEST(BandwidthProbe, MeasuresSeveralKernels) {
  const BandwidthProbe probe(std::size_t{8} << 20);
  EXPECT_GE(probe.kernels().size(), 3u);
  for (const auto& kernel : probe.kernels()) {
    EXPECT_GT(kernel.gbps, 0.01) << kernel.name;
    EXPECT_LT(kernel.gbps, 1e5) << kernel.name;
    EXPECT_LE(kernel.gbps,
              std::max_element(probe.kernels().begin(), probe.kernels().end(), [](auto& a, auto& b) {
                return a.gbps < b.gbps;
              })->gbps);
  }
  EXPECT_GT(probe.run(), 0.01);
}

TEST(BandwidthProbe, ManagesOddSizes) {
  for (const std::size_t bytes : {0, 1, 32768, 100001}) EXPECT_GT(BandwidthProbe(bytes).run(), 0) << bytes;
}

TEST(Environment, IsNeverBlank) {
  const nlohmann::json environment = to_json(read_environment());
  for (const auto& [key, value] : environment.items()) {
    if (value.is_string()) {
      EXPECT_NE(value, "") << key;
      EXPECT_EQ(value.get<std::string>().find('\n'), std::string::npos) << key;
    }
  }
  EXPECT_GT(environment["memory_total_bytes"], 0);
  EXPECT_GT(memory_available_bytes(), 0u);
  EXPECT_GE(environment["processors"], environment["threads"]);
}

TEST(Environment, KnowsTheBuild) {
  const nlohmann::json it = to_json(build());
  EXPECT_NE(it["compiler"], "");
  EXPECT_NE(it["git_hash"], "");
}

}  // namespace
}  // namespace trisect
