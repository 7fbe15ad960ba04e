#include "microbench/harness/shapes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/harness/toy.hpp"

namespace trisect::microbench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using trisect::testing::Toy;

/// An op with a flag, as far as reading shapes needs one.
struct Flagged {
  static constexpr std::string_view name = "flagged/toy";
  struct Problem {
    int is_odd = 0;
  };
  static constexpr Field<Problem> fields[] = {{"is_odd", &Problem::is_odd}};
  struct Args {};
  using Variant = VariantOf<Problem, Args>;
  static Cost cost(const Problem&) { return {}; }
  static Args make(const Problem&, Arena&) { return {}; }
  static Check check(const Problem&, const Args&, const Args&) { return {}; }
  static std::vector<Problem> odd_problems() { return {}; }
  static std::span<const Variant> variants() { return {}; }
};

class ShapesTest : public ::testing::Test {
 protected:
  ~ShapesTest() override { std::filesystem::remove(path_); }

  Shapes load(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return Shapes::load(path_);
  }

  /// The message with which a file is refused.
  std::string refusal(const std::string& text) {
    try {
      Shapes shapes = load(text);
      shapes.problems<Toy>();
      shapes.require_all_known();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kEnvironment);
      EXPECT_THAT(error.what(), AllOf(HasSubstr(path_), Not(HasSubstr("\n"))));
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << text;
    return "";
  }

  std::string path_ = ::testing::TempDir() + "shapes_" + std::to_string(getpid()) + ".json";
};

TEST_F(ShapesTest, MultipliesOut) {
  const auto problems =
      load(R"({"toy/product": [{"n": [1, 2], "sparsity_permille": [0, 500], "dtype": ["f32", "bf16"]}]})")
          .problems<Toy>();
  ASSERT_EQ(problems.size(), 8u);
  EXPECT_EQ(describe<Toy>(problems[0]), "f32/n:1/sparsity_permille:0");
  EXPECT_EQ(describe<Toy>(problems[1]), "f32/n:1/sparsity_permille:500");
  EXPECT_EQ(describe<Toy>(problems[7]), "bf16/n:2/sparsity_permille:500");
}

TEST_F(ShapesTest, LeavesOutDuplicates) {
  const auto problems = load(R"({"toy/product": [{"n": [1, 1], "sparsity_permille": 0, "dtype": "f32"},
                                                 {"n": [2, 1], "sparsity_permille": 0, "dtype": "f32"}]})")
                            .problems<Toy>();
  EXPECT_EQ(problems.size(), 2u);
}

TEST_F(ShapesTest, AnOpThatIsNotListedHasNoProblems) { EXPECT_TRUE(load("{}").problems<Toy>().empty()); }

TEST_F(ShapesTest, HashesTheBytes) {
  EXPECT_EQ(load("{}").fnv1a64(), "08f44b07b5901a25");
  EXPECT_NE(load("{ }").fnv1a64(), load("{}").fnv1a64());
}

TEST_F(ShapesTest, RefusesWhatIsNotAFile) {
  EXPECT_THROW(Shapes::load("phi3"), Error);
  EXPECT_THROW(Shapes::load("/"), Error);
  EXPECT_THROW(Shapes::load("/no/such/file.json"), Error);
}

TEST_F(ShapesTest, RefusesMalformedFiles) {
  EXPECT_THAT(refusal(""), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("{"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("{\"toy/product\": [\n\n}"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("\xff\xfe\x00"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(refusal(R"({"toy/product": 3})"), HasSubstr("list of products"));
  EXPECT_THAT(refusal(R"({"toy/product": [3]})"), HasSubstr("product must be an object"));
  EXPECT_THAT(refusal("[" + std::string(1 << 20, ' ') + "]"), HasSubstr("larger than"));
}

TEST_F(ShapesTest, RefusesDeepNesting) {
  EXPECT_THAT(refusal(R"({"toy/product": [{"n": )" + std::string(100000, '[') + std::string(100000, ']') +
                      R"(, "sparsity_permille": 0, "dtype": "f32"}]})"),
              HasSubstr("nested too deeply"));
}

TEST_F(ShapesTest, RefusesUnknownOps) {
  EXPECT_THAT(refusal(R"({"toy/sum": []})"),
              AllOf(HasSubstr("unknown op \"toy/sum\""), HasSubstr("toy/product")));
  EXPECT_THAT(refusal("{\"a\\nb\": []}"), HasSubstr("a\\nb"));
}

TEST_F(ShapesTest, NamesTheFieldThatIsWrong) {
  const auto with = [this](const std::string& n, const std::string& permille, const std::string& dtype) {
    return refusal(fmt::format(R"({{"toy/product": [{{"n": {}, "sparsity_permille": {}, "dtype": {}}}]}})", n,
                               permille, dtype));
  };
  for (const char* bad : {"0", "-1", "2147483648", "18446744073709551615", "1e300", "1.5", "\"1\"", "null",
                          "{}", "[]", "[1, 0]", "[[1]]", "true"}) {
    EXPECT_THAT(with(bad, "0", "\"f32\""), AllOf(HasSubstr("toy/product"), HasSubstr("\"n\""))) << bad;
  }
  for (const char* bad : {"1000", "-1", "0.4"}) {
    EXPECT_THAT(with("1", bad, "\"f32\""), HasSubstr("\"sparsity_permille\"")) << bad;
  }
  for (const char* bad : {"\"f16\"", "\"float\"", "32", "[]", "[\"f32\", null]"}) {
    EXPECT_THAT(with("1", "0", bad), HasSubstr("\"dtype\"")) << bad;
  }
  EXPECT_THAT(refusal(R"({"toy/product": [{"n": 1, "dtype": "f32"}]})"),
              HasSubstr("field \"sparsity_permille\" is missing"));
  EXPECT_THAT(refusal(R"({"toy/product": [{"n": 1, "sparsity_permille": 0}]})"),
              HasSubstr("field \"dtype\" is missing"));
  EXPECT_THAT(refusal(R"({"toy/product": [{"n": 1, "m": 1}]})"), HasSubstr("unknown field \"m\""));
}

TEST_F(ShapesTest, FlagsAreZeroOrOne) {
  const auto expand = [this](const char* value) {
    Shapes shapes = load(fmt::format(R"({{"flagged/toy": [{{"is_odd": {}}}]}})", value));
    return shapes.problems<Flagged>();
  };
  const auto both = expand("[0, 1]");
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].is_odd, 0);
  EXPECT_EQ(both[1].is_odd, 1);
  for (const char* bad : {"2", "-1", "true"}) EXPECT_THROW(expand(bad), Error) << bad;
}

TEST_F(ShapesTest, RefusesAnExplosion) {
  std::string many = "1";
  for (int i = 2; i < 200; ++i) many += "," + std::to_string(i);
  EXPECT_THAT(
      refusal(fmt::format(
          R"({{"toy/product": [{{"n": [{0}], "sparsity_permille": [{0}], "dtype": "f32"}}]}})", many)),
      HasSubstr("more than 10000 problems"));
}

TEST(NamedShapes, Exist) {
  for (const char* name : {"phi2", "smoke", "compare"}) EXPECT_NO_THROW(Shapes::load(name)) << name;
}

TEST(NamedShapes, AreFoundWhereTheEnvironmentSays) {
  setenv("TRISECT_SHAPES", "/no/such/directory", 1);
  EXPECT_THROW(Shapes::load("smoke"), Error);
  unsetenv("TRISECT_SHAPES");
}

}  // namespace
}  // namespace trisect::microbench
