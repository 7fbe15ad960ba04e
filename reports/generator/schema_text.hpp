// The text of every reports/schema/<name>.schema.json, by name; written at configuration.
#pragma once

#include <map>
#include <string_view>

namespace trisect::report {

const std::map<std::string_view, std::string_view>& schema_texts();

}  // namespace trisect::report
