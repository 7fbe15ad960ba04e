// The program as it is called: exit codes, what it writes and where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>

#include "tests/reports/files.hpp"

namespace trisect::report {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ProgramTest : public ::testing::Test {
 protected:
  /// Runs `report` with shell-quoted arguments; its output ends in `out` and `errors`.
  int run(const std::string& arguments, const std::string& environment = "") {
    const std::string prefix = directory.path().string();
    const std::string command = environment + " '" TRISECT_BIN_DIR "/report' " + arguments + " >'" + prefix +
                                "/out' 2>'" + prefix + "/errors'";
    const int status = std::system(command.c_str());
    out = testing::file_text(directory.path() / "out");
    errors = testing::file_text(directory.path() / "errors");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string inputs() const {
    return "--input '" + (testing::golden_directory() / "microbench").string() + "' '" +
           (testing::golden_directory() / "compare").string() + "'";
  }
  std::string output(const fs::path& path) const { return " --output '" + path.string() + "'"; }

  testing::TemporaryDirectory directory;
  std::string out, errors;
};

TEST_F(ProgramTest, WritesTheReportAndItsPictures) {
  const fs::path path = directory.path() / "new directory" / "a.md";
  ASSERT_EQ(run(inputs() + output(path)), 0) << errors;
  EXPECT_EQ(out, path.string() + "\n");
  const std::string text = testing::file_text(path);
  EXPECT_THAT(text, HasSubstr("# What the cuts cost and save"));
  if (text.find("no pictures") == std::string::npos) {
    EXPECT_TRUE(fs::exists(path.parent_path() / "a-speedup-block-bf16.svg"));
    EXPECT_TRUE(fs::exists(path.parent_path() / "a-generation-1.svg"));
  }
  ASSERT_EQ(run(inputs() + output(path)), 0);
  EXPECT_EQ(testing::file_text(path), text);
}

TEST_F(ProgramTest, WithoutGnuplotThereAreTables) {
  const fs::path path = directory.path() / "a.md";
  ASSERT_EQ(run(inputs() + output(path), "PATH=/nowhere"), 0) << errors;
  EXPECT_THAT(errors, HasSubstr("no pictures: gnuplot is not installed"));
  EXPECT_THAT(testing::file_text(path), AllOf(HasSubstr("tables only"), Not(HasSubstr(".svg"))));
  EXPECT_FALSE(fs::exists(directory.path() / "a-generation-1.svg"));
}

TEST_F(ProgramTest, HelpAndVersion) {
  EXPECT_EQ(run("--help"), 0);
  EXPECT_THAT(out, AllOf(HasSubstr("--input"), HasSubstr("--output")));
  EXPECT_EQ(run("--version"), 0);
  EXPECT_THAT(out, HasSubstr("report 0."));
}

TEST_F(ProgramTest, ComparesTwoRuns) {
  const std::string run_directory = "'" + (testing::golden_directory() / "microbench").string() + "'";
  EXPECT_EQ(run("--compare " + run_directory + " " + run_directory), 0) << errors;
  EXPECT_THAT(
      out, AllOf(HasSubstr("# Two runs compared"), HasSubstr("| larosa |"), HasSubstr("did not take turns")));
  const fs::path path = directory.path() / "new directory" / "c.md";
  EXPECT_EQ(run("--compare " + run_directory + " " + run_directory + output(path) + " --fail-on-regression"),
            0);
  EXPECT_THAT(out, AllOf(HasSubstr("larosa: ambiguous, 1.00×"), HasSubstr("c.md\n")));
  EXPECT_THAT(testing::file_text(path), HasSubstr("# Two runs compared"));
}

TEST_F(ProgramTest, ARegressionExitsWith1OnRequest) {
  const fs::path base = testing::golden_directory() / "microbench", fresh = directory.path() / "fresh";
  fs::copy(base, fresh);
  std::string manifest = testing::file_text(fresh / "manifest.json");
  const std::string good = "\"status\": \"pass\", \"reason\": \"\"";
  ASSERT_NE(manifest.find(good), std::string::npos);
  manifest.replace(manifest.find(good), good.size(), "\"status\": \"fail\", \"reason\": \"check failed\"");
  testing::write_text(fresh / "manifest.json", manifest);
  const std::string both = "--compare '" + base.string() + "' '" + fresh.string() + "'";
  EXPECT_EQ(run(both), 0) << errors;
  EXPECT_EQ(run(both + " --fail-on-regression"), 1) << errors;
  EXPECT_THAT(out, HasSubstr("not comparable (new: fail: check failed)"));
}

TEST_F(ProgramTest, OnlyRunsOfMicrobenchAreCompared) {
  const std::string compare = "'" + (testing::golden_directory() / "compare").string() + "'";
  EXPECT_EQ(run("--compare " + compare + " " + compare), 3);
  EXPECT_THAT(errors, HasSubstr("only runs of microbench can be compared"));
}

TEST_F(ProgramTest, ImpossibleArgumentsExitWith2) {
  for (const char* arguments :
       {"", "--input x", "--output x.md", "--nonsense", "--input", "--compare x", "--compare x y --input z",
        "--input x --output y.md --fail-on-regression", "--check", "--publish x --output y.md",
        "--readme x --into y", "--input x --output y.md --check"}) {
    EXPECT_EQ(run(arguments), 2) << arguments;
    EXPECT_THAT(errors, AllOf(HasSubstr("report: "), HasSubstr("--help"))) << arguments;
  }
}

TEST_F(ProgramTest, HostileFilesExitWith3AndOneLine) {
  const std::string deep(200000, '['), long_text = "{\"a\": \"" + std::string(3000000, 'x') + "\"}";
  for (const char* name : {"compare.json", "sweep.json", "trace.json", "vocabulary.json", "benchmark.json"}) {
    for (const std::string& text :
         {deep, long_text, std::string("{\"a\": 1, \"a\": 2}"), std::string("null"),
          std::string("{\"schema\": \"trisect/\\u001b[31m\"}"), std::string("{\"a\": 1e400}")}) {
      testing::TemporaryDirectory inputs;
      testing::write_text(inputs.path() / name, text);
      if (name == std::string("benchmark.json")) testing::write_text(inputs.path() / "manifest.json", text);
      EXPECT_EQ(run("--input '" + inputs.path().string() + "'" + output(directory.path() / "a.md")), 3)
          << text.substr(0, 40);
      EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors.substr(0, 300);
      EXPECT_LT(errors.size(), 500u);
      EXPECT_EQ(errors.find('\033'), std::string::npos) << "a terminal obeys it";
      EXPECT_THAT(errors, HasSubstr(inputs.path().string()));
    }
  }
}

TEST_F(ProgramTest, SeveralMachinesAreAPageAndAReportEach) {
  const fs::path other = directory.path() / "other";
  fs::copy(testing::golden_directory() / "microbench", other);
  std::string manifest = testing::file_text(other / "manifest.json");
  const std::string cpu = "Example CPU | 8 cores";
  manifest.replace(manifest.find(cpu), cpu.size(), "Another CPU");
  testing::write_text(other / "manifest.json", manifest);
  ASSERT_EQ(run(inputs() + " '" + other.string() + "'" + output(directory.path() / "a.md")), 0) << errors;
  EXPECT_THAT(testing::file_text(directory.path() / "a.md"),
              AllOf(HasSubstr("# 2 machines side by side"), HasSubstr("(a-2.md)"), HasSubstr("Another CPU")));
  EXPECT_THAT(testing::file_text(directory.path() / "a-2.md"), HasSubstr("# What the cuts cost and save"));
}

TEST_F(ProgramTest, PublishesAndChecksAReadme) {
  const fs::path root = directory.path() / "published", readme = directory.path() / "README.md";
  const std::string publish =
      "--publish '" + testing::golden_directory().string() + "' --into '" + root.string() + "'";
  if (run(publish) != 0) GTEST_SKIP() << errors;
  const std::string folder = out.substr(0, out.size() - 1),
                    check = "--readme '" + readme.string() + "' --check";
  testing::write_text(
      readme,
      "<!-- published:run none 0 -->\n<!-- published:begin larosa -->\n<!-- published:end larosa -->\n");
  EXPECT_EQ(run(check), 3) << "it names no run yet";
  EXPECT_EQ(
      run("--readme '" + readme.string() + "' --published published/" + fs::path(folder).filename().string()),
      0);
  EXPECT_EQ(run(check), 0) << errors;
  std::string edited = testing::file_text(readme);
  edited.replace(edited.find("×"), 2, "0");
  testing::write_text(readme, edited);
  EXPECT_EQ(run(check), 1);
  EXPECT_THAT(errors, AllOf(HasSubstr("table larosa"), HasSubstr("report --readme")));
  EXPECT_EQ(testing::file_text(readme), edited) << "a check changes nothing";
  EXPECT_EQ(run(publish), 3) << "it is there already";
}

TEST_F(ProgramTest, WhatCannotBeReadOrWrittenExitsWith3) {
  EXPECT_EQ(run("--input /nowhere" + output(directory.path() / "a.md")), 3);
  EXPECT_THAT(errors, AllOf(HasSubstr("report: /nowhere: no results here"), ::testing::EndsWith("\n")));
  EXPECT_FALSE(fs::exists(directory.path() / "a.md"));
  testing::write_text(directory.path() / "file", "");
  EXPECT_EQ(run(inputs() + output(directory.path() / "file" / "a.md")), 3);
  EXPECT_THAT(errors, HasSubstr("cannot be written"));
  fs::create_symlink("/dev/full", directory.path() / "full.md");
  EXPECT_EQ(run(inputs() + output(directory.path() / "full.md")), 3);
  EXPECT_THAT(errors, HasSubstr("full.md: cannot be written: No space left"));
}

}  // namespace
}  // namespace trisect::report
