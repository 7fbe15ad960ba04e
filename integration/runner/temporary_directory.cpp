#include "integration/runner/temporary_directory.hpp"

#include <stdlib.h>

#include <cerrno>
#include <cstring>

#include "kernels/core/error.hpp"

namespace trisect::runner {

namespace fs = std::filesystem;

TemporaryDirectory::TemporaryDirectory() : path_((fs::temp_directory_path() / "trisect-XXXXXX").string()) {
  if (mkdtemp(path_.data()) == nullptr) environment_error("cannot make {}: {}", path_, std::strerror(errno));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace trisect::runner
