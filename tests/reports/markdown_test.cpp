#include "reports/generator/markdown.hpp"

#include <gtest/gtest.h>

#include "reports/generator/gnuplot.hpp"
#include "reports/generator/units.hpp"

namespace trisect::report {
namespace {

TEST(EscapeTest, MarkupFromFilesStaysText) {
  EXPECT_EQ(escape("<img src=x> | *a* [b](c) `d`"), "\\<img src=x\\> \\| \\*a\\* \\[b\\](c) \\`d\\`");
  EXPECT_EQ(escape("line\nbreak\ttab\x01"), "line break tab ");
  EXPECT_EQ(escape("_a_ b_c"), "\\_a\\_ b_c");
  EXPECT_EQ(escape("µ→"), "µ→");
}

TEST(CodeTest, BackquotesGetALongerFence) {
  EXPECT_EQ(code("a_b"), "`a_b`");
  EXPECT_EQ(code("a`b"), "`` a`b ``");
  EXPECT_EQ(code(""), "");
  EXPECT_EQ(code_block("a\n```\nb"), "````\na\n```\nb\n````\n");
}

TEST(EscapeHtmlTest, StaysOnOneLine) {
  EXPECT_EQ(escape_html("<b>\n\n&\"\r"), "&lt;b&gt;<br><br>&amp;&quot; ");
}

TEST(EscapeUrlTest, KeepsPathsAndEncodesTheRest) {
  EXPECT_EQ(escape_url("../a-b/c_1.json"), "../a-b/c_1.json");
  EXPECT_EQ(escape_url("a b)µ"), "a%20b%29%C2%B5");
}

TEST(ShellCommandTest, QuotesWhatAShellWouldChange) {
  EXPECT_EQ(shell_command({"bin/x", "--filter=^a|b$", "it's", ""}), "bin/x '--filter=^a|b$' 'it'\\''s' ''");
}

TEST(TableTest, ColumnsAreAlignedByCodePoints) {
  Table table({{"name", kLeft}, {"µs"}});
  table.add({"a", "1.0"});
  table.add({"→→→→→→", "100"});
  EXPECT_EQ(table.markdown(),
            "| name   |  µs |\n"
            "| :----- | --: |\n"
            "| a      | 1.0 |\n"
            "| →→→→→→ | 100 |\n\n");
}

TEST(TableTest, ABarInACellDoesNotEndIt) {
  Table table({{"a", kLeft}});
  table.add({"`x|y`"});
  table.add({escape("p|q")});
  table.add({"|"});
  EXPECT_EQ(table.markdown(),
            "| a      |\n"
            "| :----- |\n"
            "| `x\\|y` |\n"
            "| p\\|q   |\n"
            "| \\|     |\n\n");
}

TEST(UnitsTest, ThreeDigitsAndTheRightPrefix) {
  EXPECT_EQ(number(0.12345), "0.123");
  EXPECT_EQ(number(0.9996), "1.00");
  EXPECT_EQ(number(9.996), "10.0");
  EXPECT_EQ(number(99.96), "100");
  EXPECT_EQ(number(12345), "12345");
  EXPECT_EQ(number(-1.5), "-1.50");
  EXPECT_EQ(microseconds(1500), "1.50");
  EXPECT_EQ(seconds(0), "0 s");
  EXPECT_EQ(seconds(1.5), "1.50 s");
  EXPECT_EQ(seconds(0.0015), "1.50 ms");
  EXPECT_EQ(seconds(-1.5e-6), "-1.50 µs");
  EXPECT_EQ(bytes(1e9), "1.00 GB");
  EXPECT_EQ(bytes(1.5e6), "1.50 MB");
  EXPECT_EQ(bytes(12), "12 bytes");
  EXPECT_EQ(signed_percent(-0.0001), "+0.0 %");
  EXPECT_EQ(signed_percent(0.125), "+12.5 %");
  EXPECT_EQ(times(Ratio{1.5, 1.25, 2}), "1.50× (1.25–2.00)");
  EXPECT_EQ(sparsity(375), "37.5 %");
  EXPECT_EQ(sparsity(400), "40 %");
  EXPECT_EQ(count(1, "row"), "1 row");
  EXPECT_EQ(count(0, "row"), "0 rows");
}

TEST(GnuplotTextTest, NothingThatGnuplotWouldRunPasses) {
  EXPECT_EQ(gnuplot_text("a`b`c'd\"e\nf$g"), "'a?b?c?d?e?f?g'");
  EXPECT_EQ(gnuplot_text("2560→17920 bf16"), "'2560→17920 bf16'");
}

}  // namespace
}  // namespace trisect::report
