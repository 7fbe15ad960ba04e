// The JSON Schemas of reports/schema/ (draft 07), compiled into the program, and the part of a validator that
// they need: type, const, enum, minimum, maximum, required, properties, additionalProperties (as a schema),
// items and $ref. Debian's validator for nlohmann/json would bring Qt with it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace trisect::report {

/// Names of the embedded schemas, e.g. "manifest".
std::vector<std::string_view> schema_names();

/// The schema's document. `name` must be one of schema_names().
const nlohmann::json& schema(std::string_view name);

/// Throws Error(kEnvironment) "<file>: <field> <what is wrong>" for the first field that does not follow the
/// schema.
void validate(const nlohmann::json& value, std::string_view name, const std::string& file);

}  // namespace trisect::report
