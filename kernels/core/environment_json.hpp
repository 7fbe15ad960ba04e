// The "build" and "environment" objects of the JSON that programs write.
#pragma once

#include <nlohmann/json.hpp>

#include "kernels/core/environment.hpp"

namespace trisect {

inline nlohmann::ordered_json to_json(const Build& build) {
  return {{"version", build.version},      {"git_hash", build.git_hash}, {"git_dirty", build.git_dirty},
          {"compiler", build.compiler},    {"flags", build.flags},       {"build_type", build.build_type},
          {"sanitizers", build.sanitizers}};
}

inline nlohmann::ordered_json to_json(const Environment& now) {
  return {{"host", now.host},
          {"cpu", now.cpu},
          {"processors", now.processors},
          {"threads", now.threads},
          {"threads_pinned", now.threads_pinned},
          {"governor", now.governor},
          {"boost", now.boost},
          {"smt", now.smt},
          {"aslr", now.aslr},
          {"load_average", now.load_average},
          {"memory_total_bytes", now.memory_total_bytes},
          {"kernel", now.kernel},
          {"container", now.container},
          {"llc_bytes", now.llc_bytes},
          {"onednn", now.onednn},
          {"highway", now.highway},
          {"gpu", now.gpu},
          {"cuda", now.cuda}};
}

}  // namespace trisect
