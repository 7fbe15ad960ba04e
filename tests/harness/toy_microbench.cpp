// The microbenchmark program over the toy op, for the tests of its command line.
#include "microbench/harness/register.hpp"
#include "microbench/harness/run.hpp"
#include "tests/harness/toy.hpp"

int main(int argc, char** argv) {
  using namespace trisect;
  return microbench::run(
      argc, argv,
      {.make_groups = microbench::make_groups<testing::ToyOps>, .probe_bytes = std::size_t{1} << 22});
}
