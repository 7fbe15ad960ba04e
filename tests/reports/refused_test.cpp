// What must not become a report: for every schema a table of lies, each made from a good file by one change,
// and texts that are hostile before they are JSON. Each gets one line with the file, the field and what to
// do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/generator/json_file.hpp"
#include "tests/reports/files.hpp"

namespace trisect::report {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Of `text` read as a file; empty when it is taken.
std::string complaint(const std::string& text, const std::string& schema) {
  testing::TemporaryDirectory directory;
  const auto path = directory.path() / "file.json";
  testing::write_text(path, text);
  const std::string line = testing::refusal_of([&] { read_json_file(path, schema); });
  if (line.empty()) return "";
  EXPECT_THAT(line, StartsWith(path.string() + ": "));
  EXPECT_LT(line.size(), 500u);
  return line.substr(path.string().size() + 2);
}

struct Lie {
  const char* schema;
  const char* sample;
  const char* field;      ///< JSON pointer
  const char* value;      ///< JSON, or nothing to remove the field
  const char* complaint;  ///< how it begins
};

constexpr char kManifest[] = "microbench/manifest.json", kBenchmark[] = "microbench/benchmark.json",
               kCompare[] = "compare/compare.json", kSweep[] = "sweep/sweep.json",
               kTrace[] = "trace/trace.json", kVocabulary[] = "vocabulary/vocabulary.json";

const Lie kLies[] = {
    // What all files share.
    {"manifest", kManifest, "/schema", "\"trisect/compare\"", "schema is \"trisect/compare\", but"},
    {"manifest", kManifest, "/schema_version", "2", "schema_version is 2, but this report reads 1 only: use"},
    {"manifest", kManifest, "/schema_version", "\"1\"", "schema_version is \"1\", but"},
    {"manifest", kManifest, "/schema_version", "", "schema_version is missing"},
    {"manifest", kManifest, "/command", "[]", "command has 0 entries, must have at least 1"},
    {"manifest", kManifest, "/command/0", "7", "command[0] is 7, must be of type string"},
    {"manifest", kManifest, "/started_utc", "\"yesterday\"", "started_utc is \"yesterday\", must match"},
    {"manifest", kManifest, "/finished_utc", "\"2026-01-31\"", "finished_utc is \"2026-01-31\", must match"},
    {"manifest", kManifest, "/interrupted", "\"no\"", "interrupted is \"no\", must be of type boolean"},
    {"manifest", kManifest, "/build/git_hash", "\"a\\nb\"", "build.git_hash is \"a\\nb\", must match"},
    {"manifest", kManifest, "/build/git_dirty", "null", "build.git_dirty is null, must be of type boolean"},
    {"manifest", kManifest, "/build/compiler", "", "build.compiler is missing"},
    {"manifest", kManifest, "/environment/cpu", "\"\\u001b[2J\"",
     "environment.cpu is \"\\u001b[2J\", must match"},
    {"manifest", kManifest, "/environment/threads", "\"NaN\"",
     "environment.threads is \"NaN\", must match ^unknown$"},
    {"manifest", kManifest, "/environment/threads", "-1", "environment.threads is -1, must be at least 0"},
    {"manifest", kManifest, "/environment/llc_bytes", "1e300",
     "environment.llc_bytes is 1e+300, must be at most"},
    {"manifest", kManifest, "/environment/load_average", "[\"idle\"]",
     "environment.load_average[0] is \"idle\", must"},
    {"manifest", kManifest, "/environment/threads_pinned", "\"yes\"",
     "environment.threads_pinned is \"yes\", must"},
    {"manifest", kManifest, "/environment/more", "{\"a\": {}}",
     "environment.more is an object, must be of type"},
    // microbench
    {"manifest", kManifest, "/probe/kernels/0/gbps", "\"fast\"",
     "probe.kernels[0].gbps is \"fast\", must match"},
    {"manifest", kManifest, "/groups/0/probe_before_gbps", "-3",
     "groups[0].probe_before_gbps is -3, must be at"},
    {"manifest", kManifest, "/rows/0/benchmark", "\"a\\u0000b\"",
     "rows[0].benchmark is \"a\\u0000b\", must match"},
    {"manifest", kManifest, "/rows/0/status", "\"passed\"",
     "rows[0].status is \"passed\", must be one of pass, fail"},
    {"manifest", kManifest, "/rows/0/check/error", "-0.5", "rows[0].check.error is -0.5, must be at least 0"},
    {"manifest", kManifest, "/rows/0/check/tolerance", "\"Infinity\"",
     "rows[0].check.tolerance is \"Infinity\", must"},
    {"manifest", kManifest, "/rows/0/cost/bytes_read", "-1",
     "rows[0].cost.bytes_read is -1, must be at least 0"},
    {"manifest", kManifest, "/rows/0/cost/flops", "null",
     "rows[0].cost.flops is null, must be of type number"},
    {"manifest", kManifest, "/rows/0/problem/n|a", "1", "rows[0].problem.(a key) is \"n|a\", must match"},
    {"manifest", kManifest, "/rows/0/problem/n", "2.5", "rows[0].problem.n is 2.5, must be of type integer"},
    {"manifest", kManifest, "/rows/0/weights", "\"warm\"", "rows[0].weights is \"warm\", must be one of"},
    {"google_benchmark", kBenchmark, "/benchmarks", "{}", "benchmarks is an object, must be of type array"},
    {"google_benchmark", kBenchmark, "/benchmarks/0/real_time", "-1",
     "benchmarks[0].real_time is -1, must be at"},
    {"google_benchmark", kBenchmark, "/benchmarks/0/real_time", "\"NaN\"",
     "benchmarks[0].real_time is \"NaN\", must"},
    {"google_benchmark", kBenchmark, "/benchmarks/0/run_name", "", "benchmarks[0].run_name is missing"},
    {"google_benchmark", kBenchmark, "/benchmarks/0/run_type", "\"guess\"",
     "benchmarks[0].run_type is \"guess\", must"},
    {"google_benchmark", kBenchmark, "/benchmarks/0/time_unit", "\"h\"",
     "benchmarks[0].time_unit is \"h\", must be"},
    {"google_benchmark", kBenchmark, "/benchmarks/0/rotate_ns", "-5",
     "benchmarks[0].rotate_ns is -5, must be at"},
    // phi2 compare
    {"compare", kCompare, "/schema", "\"trisect/trace-result\"", "schema is \"trisect/trace-result\", but"},
    {"compare", kCompare, "/schema_version", "0", "schema_version is 0, but"},
    {"compare", kCompare, "/model/layers", "-1", "model.layers is -1, must be at least 0"},
    {"compare", kCompare, "/model/hash", "", "model.hash is missing"},
    {"compare", kCompare, "/environment", "[]", "environment is an array, must be of type object"},
    // phi2 evaluate --larosa-sweep
    {"sweep", kSweep, "/schema_version", "99", "schema_version is 99, but"},
    {"sweep", kSweep, "/dense/perplexity", "0.5", "dense.perplexity is 0.5, must be at least 1"},
    {"sweep", kSweep, "/points/0/perplexity", "\"NaN\"", "points[0].perplexity is \"NaN\", must be of type"},
    {"sweep", kSweep, "/points/0/kl_nats", "-1", "points[0].kl_nats is -1, must be at least"},
    {"sweep", kSweep, "/points/0/agreement", "1.5", "points[0].agreement is 1.5, must be at most 1"},
    {"sweep", kSweep, "/points/0/sparsity_permille", "1001",
     "points[0].sparsity_permille is 1001, must be at most"},
    {"sweep", kSweep, "/points/0/mode", "\"dense\"", "points[0].mode is \"dense\", must be one of"},
    {"sweep", kSweep, "/points/0/values", "", "points[0].values is missing"},
    {"sweep", kSweep, "/text/tokens", "2000000000", "text.tokens is 2000000000, must be at most"},
    // phi2 trace
    {"trace", kTrace, "/schema_version", "null", "schema_version is null, but"},
    {"trace", kTrace, "/settings/granule", "\"medium\"", "settings.granule is \"medium\", must be one of"},
    {"trace", kTrace, "/settings/token_bytes", "-1", "settings.token_bytes is -1, must be at least 0"},
    {"trace", kTrace, "/settings/seed", "1e3", "settings.seed is 1000.0, must be of type integer"},
    {"trace", kTrace, "/runs/0/kv_cache", "\"magic\"", "runs[0].kv_cache is \"magic\", must be one of"},
    {"trace", kTrace, "/runs/0/utilisation", "3", "runs[0].utilisation is 3, must be at most"},
    {"trace", kTrace, "/runs/0/decode_s", "-0.1", "runs[0].decode_s is -0.1, must be at least 0"},
    {"trace", kTrace, "/runs/0/average/committed_bytes", "-4096",
     "runs[0].average.committed_bytes is -4096, must"},
    {"trace", kTrace, "/runs/0/against/growing/saved_fraction", "1.5",
     "runs[0].against.growing.saved_fraction is 1.5"},
    {"trace", kTrace, "/runs/0/against/growing/step_ratio", "-1",
     "runs[0].against.growing.step_ratio is -1, must"},
    {"trace", kTrace, "/runs/0/requests/finished", "", "runs[0].requests.finished is missing"},
    {"trace", kTrace, "/runs/0/over_time/0/running", "\"two\"",
     "runs[0].over_time[0].running is \"two\", must"},
    // phi2 vocabulary
    {"vocabulary", kVocabulary, "/schema_version", "1.5", "schema_version is 1.5, but"},
    {"vocabulary", kVocabulary, "/settings/top_p", "2", "settings.top_p is 2, must be at most 1"},
    {"vocabulary", kVocabulary, "/settings/seeds", "-1", "settings.seeds is -1, must be at least 0"},
    {"vocabulary", kVocabulary, "/texts/0/characters", "1.5",
     "texts[0].characters is 1.5, must be of type integer"},
    {"vocabulary", kVocabulary, "/texts/0/base_tokens_per_word/0", "-2",
     "texts[0].base_tokens_per_word[0] is -2"},
    {"vocabulary", kVocabulary, "/sides/0/quality/0/bits_per_character", "-1",
     "sides[0].quality[0].bits_per_char"},
    {"vocabulary", kVocabulary, "/sides/0/samples/0/decode_s", "1e12",
     "sides[0].samples[0].decode_s is 1000000000000"},
    {"vocabulary", kVocabulary, "/sides/0/patched", "", "sides[0].patched is missing"},
};

class LieTest : public ::testing::TestWithParam<Lie> {};
INSTANTIATE_TEST_SUITE_P(Every, LieTest, ::testing::ValuesIn(kLies), [](const auto& lie) {
  return std::string(lie.param.schema) + std::to_string(lie.index);
});

TEST_P(LieTest, IsRefusedByName) {
  const Lie& lie = GetParam();
  Json document = Json::parse(testing::file_text(testing::golden_directory() / lie.sample));
  ASSERT_EQ(complaint(document.dump(), lie.schema), "") << "the sample itself is good";
  const Json::json_pointer field(lie.field);
  if (*lie.value == '\0') {
    ASSERT_TRUE(document.contains(field)) << lie.field;
    document.at(field.parent_pointer()).erase(field.back());
  } else {
    document[field] = Json::parse(lie.value);
  }
  EXPECT_THAT(complaint(document.dump(), lie.schema), StartsWith(lie.complaint));
}

TEST(RefusedTest, EverySchemaHasItsLies) {
  for (const char* name : {"manifest", "google_benchmark", "compare", "sweep", "trace", "vocabulary"})
    EXPECT_GE(std::count_if(std::begin(kLies), std::end(kLies),
                            [&](const Lie& lie) { return lie.schema == std::string(name); }),
              4)
        << name;
}

std::string nested(int depth) {
  return "{\"a\": " + std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']') + "}";
}

TEST(RefusedTest, HostileText) {
  EXPECT_THAT(complaint(nested(100000), "trace"), HasSubstr("nested deeper than"));
  EXPECT_THAT(complaint(std::string(1000000, '['), "trace"), HasSubstr("nested deeper than"));
  EXPECT_THAT(complaint("{\"a\": 1e999}", "trace"), HasSubstr("a number that is too large"));
  EXPECT_THAT(complaint("{\"a\": NaN}", "trace"), HasSubstr("not valid JSON"));
  EXPECT_THAT(complaint("{\"a\": -Infinity}", "trace"), HasSubstr("not valid JSON"));
  EXPECT_THAT(complaint("{\"a\": \"" + std::string(2000000, 'x') + "\"}", "trace"),
              HasSubstr("a text of 2000000 bytes"));
  EXPECT_THAT(complaint("{\"runs\": [], \"runs\": []}", "trace"), HasSubstr("the key \"runs\" occurs twice"));
  EXPECT_THAT(complaint("{\"a\": {\"b\\n\": 1, \"b\\n\": 2}}", "trace"),
              HasSubstr("the key \"b\\n\" occurs twice"));
  EXPECT_THAT(complaint("{\"a\": {\"b\": 1}, \"b\": {\"b\": 1}}", "trace"), HasSubstr("is missing"))
      << "no key twice";
  EXPECT_THAT(complaint("", "trace"), HasSubstr("not valid JSON"));
  EXPECT_THAT(complaint("{} {}", "trace"), HasSubstr("not valid JSON"));
  EXPECT_THAT(complaint("\xef\xbb\xbf[]", "trace"), HasSubstr("the document is an array"));
  EXPECT_THAT(complaint(std::string("{\"a\": \"\0\"}", 10), "trace"), HasSubstr("not valid JSON"));
}

}  // namespace
}  // namespace trisect::report
