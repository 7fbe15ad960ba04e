// What the tests of model files share: a directory that vanishes, and errors that must be one good line.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>

#include "kernels/core/error.hpp"

namespace trisect::phi2 {

class Scratch : public ::testing::Test {
 protected:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "trisect-model-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) environment_error("{}: cannot create", name);
    directory_ = name;
  }
  ~Scratch() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path path(const std::string& name) const { return directory_ / name; }
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(path(name).parent_path());
    std::filesystem::remove(path(name));  // overwriting in place makes some file systems wait for the disk
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }
  static std::string read(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path directory_;
};

/// `run` must throw Error with the code, in one line that has all the parts.
template <class Run>
void expect_error(Run run, std::initializer_list<std::string> parts, ExitCode code = ExitCode::kEnvironment) {
  try {
    run();
    ADD_FAILURE() << "no error, expected one with "
                  << ::testing::PrintToString(std::vector<std::string>(parts));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const std::string& part : parts) EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
    EXPECT_THAT(error.what(), ::testing::Not(::testing::HasSubstr("\n")));
  }
}

}  // namespace trisect::phi2
