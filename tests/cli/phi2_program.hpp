// Drives the program phi2 as a person would: arguments, standard input, signals; texts, exit code, files.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace trisect::test {

using Arguments = std::vector<std::string>;

struct Finished {
  int code = -1;  ///< exit code, or minus the signal
  std::string out, err;
};

struct Setting {
  std::string program = TRISECT_BIN_DIR "/phi2";
  std::string input = {};        ///< of standard input
  std::string output_file = {};  ///< standard output goes there instead
  std::vector<std::pair<std::string, std::string>> environment = {};
};

class Program {
 public:
  explicit Program(const Arguments& arguments, const Setting& setting = {});
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  pid_t pid() const { return pid_; }

  /// Until the text was seen on either stream; false when the program ended before.
  bool wait_for(const std::string& text);
  void send(int signal) const;
  Finished finish();

 private:
  bool read_some();

  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  Finished finished_;
};

inline Finished phi2(const Arguments& arguments, const Setting& setting = {}) {
  return Program(arguments, setting).finish();
}

/// The exit code, and one line on standard error that begins with the program's name and has `part` in it.
void expect_complaint(const Finished& finished, int code, const std::string& part);

/// A directory of its own for each test, removed with it.
class Phi2Test : public ::testing::Test {
 protected:
  Phi2Test();
  ~Phi2Test() override;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& content) const;
  /// A copy of a small model that transformers made (tests/fixtures/phi).
  std::string copy_of_fixture(const std::string& name) const;

 private:
  std::filesystem::path folder_;
};

std::string source(const std::string& path);
std::string read_file(const std::string& path);
nlohmann::json read_json(const std::string& path);

/// Where phi-mini's tokenizer is.
inline std::string phi_mini() { return source("integration/models/phi-mini"); }

/// False, and the test is to be skipped, where only the tokenizer of phi-mini is there.
bool has_phi_mini();

}  // namespace trisect::test
