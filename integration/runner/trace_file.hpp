// Traces: files that say when requests arrive and how long they are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trisect::runner {

struct TraceRequest {
  int arrival = 0;             ///< in decode steps
  int prompt = 1, output = 1;  ///< tokens
};

struct Trace {
  std::string name, description;
  std::vector<TraceRequest> requests;
};

/// Reads version 1 of trisect/trace:
///   {"schema": "trisect/trace", "schema_version": 1, "name": "chat", "description": "...",
///    "requests": [{"arrival": 0, "prompt": 12, "output": 30}, ...]}
/// Throws Error(kEnvironment) naming file, request and field.
Trace read_trace(const std::filesystem::path& path);

}  // namespace trisect::runner
