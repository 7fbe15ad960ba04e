#include "kernels/core/cpu.hpp"

#include <algorithm>
#include <fstream>

namespace trisect {
namespace {
bool bf16_denied = false;
}

void deny_avx512_bf16_for_test(bool deny) { bf16_denied = deny; }

Availability has_avx512_bf16() {
#if defined(__x86_64__)
  if (bf16_denied) return {"AVX-512 BF16 is denied for a test"};
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw")) {
    return {};
  }
  return {"the processor has no AVX-512 BF16"};
#else
  return {"not an x86-64 processor"};
#endif
}

std::size_t last_level_cache_bytes() {
  std::size_t largest = 0;
  for (int i = 0; i < 8; ++i) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/size");
    std::size_t size = 0;
    char unit = 0;
    if (file >> size >> unit) largest = std::max(largest, unit == 'M' ? size << 20 : size << 10);
  }
  return largest > 0 ? largest : std::size_t{32} << 20;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace trisect
