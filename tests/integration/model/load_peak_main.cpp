// Loads a model (directory or synthetic:NAME) as bf16 and prints, in bytes: the weights, and the peak of the
// resident set before and after. Then the seconds it took.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

#include "integration/phi2/model/weights.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/threads.hpp"

namespace {

long peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6)) * 1024;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    trisect::pin_threads();
    const trisect::phi2::ModelSource source = trisect::phi2::find_model(argv[1]);
    const long before = peak_bytes();
    const auto start = std::chrono::steady_clock::now();
    const trisect::phi2::Weights weights = trisect::phi2::load_weights(source, trisect::Dtype::kBf16);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    std::printf("%zu %ld %ld %.3f\n", weights.bytes(), before, peak_bytes(), time.count());
  } catch (const trisect::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.code());
  }
}
