#include "kernels/core/environment.hpp"

#include <dnnl.h>
#include <fmt/format.h>
#include <hwy/highway.h>
#include <sys/personality.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "build_info.hpp"
#include "kernels/core/cpu.hpp"
#include "kernels/core/threads.hpp"

namespace trisect {
namespace {

constexpr char kUnknown[] = "unknown";

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) && !line.empty() ? line : kUnknown;
}

/// The text after "<key>:" and blanks.
std::string value_of(const std::filesystem::path& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) != 0 || line[key.size()] != ':') continue;
    const std::size_t begin = line.find_first_not_of(" \t", key.size() + 1);
    return begin == std::string::npos ? kUnknown : line.substr(begin);
  }
  return kUnknown;
}

std::uint64_t memory_bytes(std::string_view key) {
  return std::strtoull(value_of("/proc/meminfo", key).c_str(), nullptr, 10) * 1024;
}

std::string on_off(const std::string& value, std::string_view on) {
  return value == kUnknown ? value : value == on ? "on" : "off";
}

std::string boost() {
  const std::string generic = first_line("/sys/devices/system/cpu/cpufreq/boost");
  if (generic != kUnknown) return on_off(generic, "1");
  return on_off(first_line("/sys/devices/system/cpu/intel_pstate/no_turbo"), "0");
}

std::string aslr() {
  if ((personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0) return "off";
  const std::string value = first_line("/proc/sys/kernel/randomize_va_space");
  return value == kUnknown ? value : value == "0" ? "off" : "on";
}

std::string container() {
  if (std::filesystem::exists("/.dockerenv")) return "docker";
  if (std::filesystem::exists("/run/.containerenv")) return "podman";
  const std::string systemd = first_line("/run/systemd/container");
  return systemd == kUnknown ? "none" : systemd;
}

std::string gpus() {
  std::string models;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", none)) {
    models += (models.empty() ? "" : ", ") + value_of(entry.path() / "information", "Model");
  }
  if (models.empty() && std::filesystem::exists("/dev/nvidia0", none)) return "NVIDIA, model unknown";
  return models.empty() ? "none" : models;
}

std::string kernel_release() {
  utsname name{};
  return uname(&name) == 0 ? fmt::format("{} {}", name.sysname, name.release) : kUnknown;
}

std::string host_name() {
  utsname name{};
  return uname(&name) == 0 && name.nodename[0] != '\0' ? name.nodename : kUnknown;
}

std::vector<double> load_average() {
  double load[3];
  const int known = getloadavg(load, 3);
  return {load, load + (known > 0 ? known : 0)};
}

}  // namespace

Build build() {
  namespace info = build_info;
  return {info::kVersion, info::kGitHash,   info::kGitDirty,  info::kCompiler,
          info::kFlags,   info::kBuildType, info::kSanitizers};
}

Environment read_environment() {
  Environment now;
  now.host = host_name();
  now.cpu = cpu_model();
  now.processors = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  now.threads = thread_count();
  now.threads_pinned = threads_pinned();
  now.governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  now.boost = boost();
  now.smt = first_line("/sys/devices/system/cpu/smt/control");
  now.aslr = aslr();
  now.load_average = load_average();
  now.memory_total_bytes = memory_bytes("MemTotal");
  now.kernel = kernel_release();
  now.container = container();
  now.llc_bytes = last_level_cache_bytes();
  const dnnl_version_t* onednn = dnnl_version();
  now.onednn = fmt::format("{}.{}.{}", onednn->major, onednn->minor, onednn->patch);
  now.highway = fmt::format("{}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH);
  now.gpu = gpus();
  now.cuda = TRISECT_CUDA_SUMMARY;
  return now;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::uint64_t memory_available_bytes() { return memory_bytes("MemAvailable"); }

}  // namespace trisect
