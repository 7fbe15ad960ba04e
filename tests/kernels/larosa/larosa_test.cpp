// The generated tests of the whole family: see tests/kernels/register.hpp.
#include "kernels/larosa/ops.hpp"
#include "tests/kernels/register.hpp"

namespace trisect::testing {
namespace {
[[maybe_unused]] const bool registered = (register_tests(static_cast<larosa::Ops*>(nullptr)), true);
}
}  // namespace trisect::testing
