// main() of every test program: a pinned team, and exit code 77 when all that ran was skipped.
#include <gtest/gtest.h>

#include "kernels/core/threads.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  trisect::pin_threads();
  const int result = RUN_ALL_TESTS();
  const auto& unit = *::testing::UnitTest::GetInstance();
  if (::testing::GTEST_FLAG(list_tests)) return result;
  if (unit.test_to_run_count() == 0) return 1;
  return result == 0 && unit.skipped_test_count() == unit.test_to_run_count() ? 77 : result;
}
