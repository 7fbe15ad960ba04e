#include "microbench/harness/manifest.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace trisect::microbench {
namespace {

TEST(Manifest, IsValidJsonWhateverHappened) {
  Manifest manifest;
  manifest.command = {"microbench", "--out=\xff\xfe\n\"", ""};
  manifest.groups.push_back({"g", std::numeric_limits<double>::infinity(), 0});
  manifest.probe_kernels.push_back({"plain", std::numeric_limits<double>::quiet_NaN()});
  Row row;
  row.benchmark = row.group = "g";
  row.op = "toy/product";
  row.variant = "nan";
  row.problem = {{"n", 3}};
  row.check = Check{CheckStatus::kFail, std::numeric_limits<double>::infinity(), 1e-6, "[0,1] is nan"};
  row.give_up(Status::kFail, "check failed");
  manifest.rows.push_back(row);
  row.check.reset();
  row.dtype = "bf16";
  row.give_up(Status::kSkipped, "no such instruction");
  manifest.rows.push_back(row);

  const auto json = nlohmann::json::parse(manifest.json());
  EXPECT_EQ(json["schema"], "trisect/microbench");
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_TRUE(json["groups"][0]["probe_before_gbps"].is_null());
  EXPECT_TRUE(json["groups"][0]["probe_after_gbps"].is_null());
  EXPECT_TRUE(json["probe"]["kernels"][0]["gbps"].is_null());
  EXPECT_TRUE(json["rows"][0]["check"]["error"].is_null());
  EXPECT_TRUE(json["rows"][0]["dtype"].is_null());
  EXPECT_EQ(json["rows"][0]["status"], "fail");
  EXPECT_EQ(json["rows"][0]["problem"]["n"], 3);
  EXPECT_TRUE(json["rows"][1]["check"].is_null());
  EXPECT_EQ(json["rows"][1]["dtype"], "bf16");
  EXPECT_EQ(json["rows"][1]["reason"], "no such instruction");
}

}  // namespace
}  // namespace trisect::microbench
