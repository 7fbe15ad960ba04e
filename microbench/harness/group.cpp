#include "microbench/harness/group.hpp"

namespace trisect::microbench {

std::string_view name_of(Status status) {
  switch (status) {
    case Status::kPass:
      return "pass";
    case Status::kFail:
      return "fail";
    case Status::kMistrusted:
      return "mistrusted";
    case Status::kSkipped:
      return "skipped";
    case Status::kError:
      return "error";
  }
  return "?";
}

}  // namespace trisect::microbench
