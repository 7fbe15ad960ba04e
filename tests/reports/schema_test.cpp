#include "reports/generator/schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/reports/files.hpp"

namespace trisect::report {
namespace {

using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string complaint(const Json& value, const std::string& name) {
  return testing::refusal_of([&] { validate(value, name, "file.json"); });
}

Json sample(const std::string& path) {
  return Json::parse(testing::file_text(testing::golden_directory() / path));
}

struct Rule {
  Json json;
  std::string document;  ///< that its references are relative to
};

/// The rule itself, behind its reference.
Rule resolved(const Rule& rule) {
  if (!rule.json.contains("$ref")) return rule;
  const std::string reference = rule.json["$ref"];
  const std::size_t hash = reference.find('#');
  const std::string document = hash == 0 ? rule.document : reference.substr(0, reference.find('.'));
  return {schema(document).at(Json::json_pointer(reference.substr(hash + 1))), document};
}

/// Calls `visit` for the objects of `value`, of lists for the first entry, with the rule that they must
/// follow.
void visit_objects(Json& value, const Rule& reference,
                   const std::function<void(Json& object, const Rule& rule)>& visit) {
  const Rule rule = resolved(reference);
  if (value.is_array() && !value.empty() && rule.json.contains("items")) {
    visit_objects(value[0], {rule.json["items"], rule.document}, visit);
  }
  if (!value.is_object()) return;
  visit(value, rule);
  const Json properties = rule.json.value("properties", Json::object());
  for (const auto& [key, entry] : properties.items()) {
    if (value.contains(key)) visit_objects(value[key], {entry, rule.document}, visit);
  }
}

struct Document {
  const char* schema;
  const char* sample;
};
class SchemaTest : public ::testing::TestWithParam<Document> {};
INSTANTIATE_TEST_SUITE_P(All, SchemaTest,
                         ::testing::Values(Document{"manifest", "microbench/manifest.json"},
                                           Document{"google_benchmark", "microbench/benchmark.json"},
                                           Document{"compare", "compare/compare.json"},
                                           Document{"sweep", "sweep/sweep.json"},
                                           Document{"trace", "trace/trace.json"},
                                           Document{"vocabulary", "vocabulary/vocabulary.json"}),
                         [](const auto& document) { return std::string(document.param.schema); });

TEST_P(SchemaTest, TheSampleFollowsIt) {
  EXPECT_EQ(complaint(sample(GetParam().sample), GetParam().schema), "");
}

TEST_P(SchemaTest, EveryRequiredFieldIsMissedByName) {
  const std::string name = GetParam().schema;
  Json document = sample(GetParam().sample);
  int removed = 0;
  visit_objects(document, {schema(name), name}, [&](Json& object, const Rule& rule) {
    for (const Json& key : rule.json.value("required", Json::array())) {
      const Json kept = object[key];
      object.erase(key);
      EXPECT_THAT(complaint(document, name),
                  AllOf(HasSubstr("file.json: "), HasSubstr(key.get<std::string>() + " is missing")));
      object[key.get<std::string>()] = kept;
      ++removed;
    }
  });
  EXPECT_GE(removed, 3);
}

TEST_P(SchemaTest, EveryTypeIsChecked) {
  const std::string name = GetParam().schema;
  Json document = sample(GetParam().sample);
  visit_objects(document, {schema(name), name}, [&](Json& object, const Rule& rule) {
    const Json properties = rule.json.value("properties", Json::object());
    for (const auto& [key, entry] : properties.items()) {
      if (!object.contains(key)) continue;
      const Json type = resolved({entry, rule.document}).json.value("type", Json("const or enum"));
      const Json kept = object[key];
      object[key] = type == Json("boolean") ? Json(1) : Json(true);
      if (type.dump().find("boolean") != std::string::npos && type.is_array()) object[key] = Json::array();
      EXPECT_THAT(complaint(document, name), HasSubstr(key + " is")) << key;
      object[key] = kept;
    }
  });
}

TEST(SchemaTest, OnlyKeywordsThatTheValidatorKnows) {
  const std::set<std::string> known = {"$schema",
                                       "$id",
                                       "title",
                                       "description",
                                       "definitions",
                                       "type",
                                       "const",
                                       "enum",
                                       "minimum",
                                       "maximum",
                                       "required",
                                       "properties",
                                       "additionalProperties",
                                       "items",
                                       "$ref",
                                       "pattern",
                                       "maxLength",
                                       "minItems",
                                       "propertyNames"};
  const std::function<void(const Json&, bool)> walk = [&](const Json& node, bool names) {
    if (!node.is_object()) return;
    for (const auto& [key, entry] : node.items()) {
      EXPECT_TRUE(names || known.count(key) == 1) << key;
      walk(entry, !names && (key == "properties" || key == "definitions"));
    }
  };
  EXPECT_EQ(schema_names().size(), 7u);
  for (const auto name : schema_names()) walk(schema(name), false);
}

TEST(SchemaTest, FieldsAreNamedFromTheRoot) {
  Json document = sample("microbench/manifest.json");
  document["rows"][2]["check"]["status"] = "passed";
  EXPECT_EQ(complaint(document, "manifest"),
            "file.json: rows[2].check.status is \"passed\", must be one of pass, fail, mistrusted");
  document = sample("microbench/manifest.json");
  document["rows"][2]["problem"]["n"] = -1;
  EXPECT_EQ(complaint(document, "manifest"), "file.json: rows[2].problem.n is -1, must be at least 0");
  document["rows"][2]["problem"]["n"] = 1e18;
  EXPECT_THAT(complaint(document, "manifest"),
              HasSubstr("rows[2].problem.n is 1e+18, must be of type integer"));
  document["rows"][2]["problem"]["n"] = 5000000000;
  EXPECT_THAT(complaint(document, "manifest"), HasSubstr("must be at most 2147483647"));
}

TEST(SchemaTest, TheVersionIsComplainedOfFirst) {
  Json document = sample("compare/compare.json");
  document["schema_version"] = 1;
  document.erase("model");
  EXPECT_EQ(complaint(document, "compare"),
            "file.json: schema_version is 1, but this report reads 2 only: use the programs of one version");
  EXPECT_THAT(complaint(sample("microbench/manifest.json"), "compare"),
              HasSubstr("schema is \"trisect/microbench\""));
  EXPECT_EQ(complaint(Json::array(), "compare"),
            "file.json: the document is an array, must be of type object");
}

}  // namespace
}  // namespace trisect::report
