#include "tests/cli/phi2_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace trisect::test {
namespace {

namespace fs = std::filesystem;

/// The test's own threads are pinned, and a child would inherit that.
void use_all_processors() {
  cpu_set_t all;
  for (int i = 0; i < CPU_SETSIZE; ++i) CPU_SET(i, &all);
  sched_setaffinity(0, sizeof all, &all);
}

int temporary_with(const std::string& content) {
  char name[] = "/tmp/trisect-input-XXXXXX";
  const int file = mkstemp(name);
  unlink(name);
  EXPECT_EQ(::write(file, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  lseek(file, 0, SEEK_SET);
  return file;
}

}  // namespace

Program::Program(const Arguments& arguments, const Setting& setting) {
  std::vector<char*> argv{const_cast<char*>(setting.program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  int out[2], err[2];
  EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
  const int input = temporary_with(setting.input);
  pid_ = fork();
  if (pid_ == 0) {
    use_all_processors();
    for (const auto& [name, value] : setting.environment) setenv(name.c_str(), value.c_str(), 1);
    dup2(input, STDIN_FILENO);
    dup2(setting.output_file.empty() ? out[1] : open(setting.output_file.c_str(), O_WRONLY), STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(input);
  close(out[1]);
  close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

Program::~Program() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(out_);
  close(err_);
}

bool Program::read_some() {
  pollfd streams[2] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  poll(streams, 2, -1);
  bool open = false;
  for (int i = 0; i < 2; ++i) {
    if (streams[i].revents == 0) {
      open = true;
      continue;
    }
    char block[4096];
    const ssize_t count = read(streams[i].fd, block, sizeof block);
    if (count > 0) {
      (i == 0 ? finished_.out : finished_.err).append(block, static_cast<std::size_t>(count));
      open = true;
    } else {
      int& stream = i == 0 ? out_ : err_;  // poll() passes over -1
      close(stream);
      stream = -1;
    }
  }
  return open && (out_ >= 0 || err_ >= 0);
}

bool Program::wait_for(const std::string& text) {
  while (finished_.out.find(text) == std::string::npos && finished_.err.find(text) == std::string::npos) {
    if (!read_some()) return false;
  }
  return true;
}

void Program::send(int signal) const { kill(pid_, signal); }

Finished Program::finish() {
  while (read_some()) {
  }
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  finished_.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return finished_;
}

void expect_complaint(const Finished& finished, int code, const std::string& part) {
  EXPECT_EQ(finished.code, code) << finished.err;
  EXPECT_THAT(finished.err, ::testing::StartsWith("phi2: "));
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  EXPECT_THAT(finished.err, ::testing::HasSubstr(part));
}

Phi2Test::Phi2Test() {
  std::string name = (fs::temp_directory_path() / "trisect-test-XXXXXX").string();
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  folder_ = name;
}

Phi2Test::~Phi2Test() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string Phi2Test::write(const std::string& name, const std::string& content) const {
  std::ofstream(folder_ / name, std::ios::binary) << content;
  return path(name);
}

std::string Phi2Test::copy_of_fixture(const std::string& name) const {
  fs::copy(source("tests/fixtures/phi/" + name), folder_ / name);
  return path(name);
}

std::string source(const std::string& path) { return TRISECT_SOURCE_DIR "/" + path; }

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

nlohmann::json read_json(const std::string& path) { return nlohmann::json::parse(read_file(path)); }

bool has_phi_mini() { return fs::exists(phi_mini() + "/model.safetensors"); }

}  // namespace trisect::test
