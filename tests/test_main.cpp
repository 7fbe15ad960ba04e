// main() of every test program: a pinned team, and exit code 77 when all that ran was skipped; 1 instead where
// TRISECT_REQUIRE_CUDA says that there is a device and nothing may be skipped for want of it.
#include <gtest/gtest.h>

#include <cstdlib>

#include "kernels/core/threads.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  trisect::pin_threads();
  const int result = RUN_ALL_TESTS();
  const auto& unit = *::testing::UnitTest::GetInstance();
  if (::testing::GTEST_FLAG(list_tests)) return result;
  if (unit.test_to_run_count() == 0) return 1;
  if (result != 0 || unit.skipped_test_count() < unit.test_to_run_count()) return result;
  return std::getenv("TRISECT_REQUIRE_CUDA") != nullptr ? 1 : 77;
}
