#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "integration/runner/worker.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::runner {
namespace {

constexpr int kPollMs = 100;  // how soon Ctrl-C is noticed
constexpr int kExecFailed = 127;

/// Only what is safe between fork and exec.
[[noreturn]] void become_worker(int socket, const cpu_set_t& processors, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kExecFailed);
  for (const int interruption : {SIGINT, SIGTERM}) signal(interruption, SIG_IGN);
  sched_setaffinity(0, sizeof processors, &processors);
  if (dup2(socket, STDIN_FILENO) < 0 || dup2(socket, STDOUT_FILENO) < 0) _exit(kExecFailed);
  execl("/proc/self/exe", "phi2", "worker", nullptr);
  _exit(kExecFailed);
}

}  // namespace

WorkerProcess::WorkerProcess(std::string name, const cpu_set_t& processors) : name_(std::move(name)) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    environment_error("cannot start the {} process: {}", name_, std::strerror(errno));
  }
  socket_ = ends[0];
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) become_worker(ends[1], processors, parent);
  const int error = errno;
  close(ends[1]);
  if (pid_ < 0) {
    close(socket_);
    environment_error("cannot start the {} process: {}", name_, std::strerror(error));
  }
}

WorkerProcess::~WorkerProcess() {
  close(socket_);
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

nlohmann::json WorkerProcess::ask(const nlohmann::json& request) {
  send_line(request.dump() + "\n");
  nlohmann::json answer = nlohmann::json::parse(receive_line());
  if (answer.contains("error")) {
    throw Error(static_cast<ExitCode>(answer.at("code").get<int>()), answer.at("error").get<std::string>());
  }
  return answer;
}

void WorkerProcess::send_line(const std::string& line) {
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t count = send(socket_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) complain_of_death();
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
}

std::string WorkerProcess::receive_line() {
  for (;;) {
    if (const std::size_t end = received_.find('\n'); end != received_.npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    pollfd waiting{socket_, POLLIN, 0};
    const int ready = poll(&waiting, 1, kPollMs);
    if (interrupted()) throw Error(ExitCode::kInterrupted, "interrupted");
    if (ready <= 0) continue;
    char block[1 << 16];
    const ssize_t count = recv(socket_, block, sizeof block, 0);
    if (count == 0 || (count < 0 && errno != EINTR)) complain_of_death();
    if (count > 0) received_.append(block, static_cast<std::size_t>(count));
  }
}

void WorkerProcess::complain_of_death() {
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  if (WIFSIGNALED(status)) {
    environment_error("the {} process was ended by signal {} ({}){}", name_, WTERMSIG(status),
                      strsignal(WTERMSIG(status)),
                      WTERMSIG(status) == SIGKILL ? "; was there too little memory?" : "");
  }
  environment_error("the {} process ended with exit code {}", name_, WEXITSTATUS(status));
}

}  // namespace trisect::runner
