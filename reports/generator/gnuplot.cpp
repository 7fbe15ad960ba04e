#include "reports/generator/gnuplot.hpp"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernels/core/error.hpp"

extern char** environ;

namespace trisect::report {
namespace {

/// A file without a name: a pipe would need both ends to be served at once, and breaks when gnuplot stops
/// early.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("gnuplot", MFD_CLOEXEC)) {
    if (descriptor_ < 0) environment_error("gnuplot: cannot make a temporary file: {}", std::strerror(errno));
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int descriptor() const { return descriptor_; }

  void write_all(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = write(descriptor_, text.data(), text.size());
      if (written < 0) environment_error("gnuplot: cannot write its script: {}", std::strerror(errno));
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    lseek(descriptor_, 0, SEEK_SET);
  }

  std::string read_all() {
    lseek(descriptor_, 0, SEEK_SET);
    std::string text;
    char part[4096];
    for (ssize_t got; (got = read(descriptor_, part, sizeof part)) > 0;) {
      text.append(part, static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  int descriptor_;
};

std::string first_complaint(const std::string& text) {
  const std::size_t start = text.find_first_not_of("\n ");
  return start == std::string::npos ? "no message" : text.substr(start, text.find('\n', start) - start);
}

}  // namespace

std::optional<std::string> run_gnuplot(const std::string& script) {
  MemoryFile in, out, complaints;
  in.write_all(script);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, complaints.descriptor(), STDERR_FILENO);
  char program[] = "gnuplot", no_start_up_file[] = "-d", from_standard_input[] = "-";
  char* arguments[] = {program, no_start_up_file, from_standard_input, nullptr};
  pid_t child = 0;
  const int failed = posix_spawnp(&child, program, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed == ENOENT) return std::nullopt;
  if (failed != 0) environment_error("gnuplot: cannot be started: {}", std::strerror(failed));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::string picture = out.read_all();
  if (status != 0 || picture.find("</svg>") == std::string::npos) {
    environment_error("gnuplot: {}", first_complaint(complaints.read_all()));
  }
  return picture;
}

std::string gnuplot_preamble(int height) {
  return fmt::format(
      "set encoding utf8\n"
      "set terminal svg size 860,{} fixed background rgb 'white' font 'sans-serif,14' noenhanced\n"
      "set border 3 linecolor rgb '#555555'\n"
      "set tics nomirror textcolor rgb 'black'\n"
      "set grid ytics linecolor rgb '#dddddd' linewidth 1\n",
      height);
}

std::string gnuplot_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       static_cast<unsigned char>(c) >= 0x80 ||
                       std::string_view(" .,:;()/%+-_=").find(c) != std::string_view::npos;
    out += plain ? c : '?';
  }
  return out + "'";
}

}  // namespace trisect::report
