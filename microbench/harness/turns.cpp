#include "microbench/harness/turns.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::microbench {
namespace {

constexpr int kPollMs = 50;  // how soon Ctrl-C is noticed

int open_file(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) environment_error("--turns: cannot open {}: {}", path, std::strerror(errno));
  return file;
}

}  // namespace

Turns::Turns(const std::string& stem) : stem_(stem) {
  signal(SIGPIPE, SIG_IGN);  // a driver that went away is an error, not a death
  grant_ = open_file(stem + ".grant", O_RDONLY);
  say_ = open_file(stem + ".say", O_WRONLY);
  pair_ = read_line();
}

Turns::~Turns() {
  close(grant_);
  close(say_);
}

void Turns::wait(std::string_view what) {
  const std::string line = std::string(what) + "\n";
  if (write(say_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    environment_error("--turns: cannot write {}.say: {}", stem_, std::strerror(errno));
  read_line();
}

/// Byte by byte: what follows the line stays in the pipe.
std::string Turns::read_line() {
  std::string line;
  while (!interrupted()) {
    pollfd wanted{grant_, POLLIN, 0};
    if (poll(&wanted, 1, kPollMs) <= 0) continue;
    char byte = 0;
    const ssize_t got = read(grant_, &byte, 1);
    if (got == 0) environment_error("--turns: {}.grant ended: the driver went away", stem_);
    if (got < 0 && errno != EINTR)
      environment_error("--turns: cannot read {}.grant: {}", stem_, std::strerror(errno));
    if (got < 0) continue;
    if (byte == '\n') break;
    line += byte;
  }
  return line;
}

}  // namespace trisect::microbench
