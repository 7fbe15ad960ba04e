#include "reports/generator/pictures_vocabulary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "reports/generator/gnuplot.hpp"

namespace trisect::report {
namespace {

constexpr double kBarWidth = 0.38;

std::string bars(const std::vector<double>& shares, double aside) {
  std::string data;
  for (std::size_t k = 0; k < shares.size(); ++k) {
    const double x = static_cast<double>(k) + aside;
    data +=
        fmt::format("{:.3f} 0 {:.3f} {:.3f} 0 {:.6g}\n", x, x - kBarWidth / 2, x + kBarWidth / 2, shares[k]);
  }
  return data;
}

}  // namespace

std::vector<double> word_shares(const std::vector<double>& words) {
  std::vector<double> shares(kMostTokensPerWord + 1, 0.0);
  const double all = std::accumulate(words.begin(), words.end(), 0.0);
  for (std::size_t k = 0; k < words.size() && all > 0; ++k)
    shares[std::min(k, kMostTokensPerWord)] += 100 * words[k] / all;
  return shares;
}

Picture words_picture(const VocabularyRun& run, int number, const std::string& file_prefix) {
  constexpr int kPanel = 260;
  std::vector<std::string> tics;
  for (std::size_t k = 0; k <= kMostTokensPerWord; ++k)
    tics.push_back(fmt::format("'{}{}' {}", k, k == kMostTokensPerWord ? " or more" : "", k));
  double highest = 1;
  for (const TokenizedText& text : run.texts) {
    for (const auto* words : {&text.base_words, &text.patched_words}) {
      const auto shares = word_shares(*words);
      highest = std::max(highest, *std::max_element(shares.begin(), shares.end()));
    }
  }
  const int height = kPanel * static_cast<int>(run.texts.size()) + 30;
  std::string blocks, panels;
  for (std::size_t i = 0; i < run.texts.size(); ++i) {
    const TokenizedText& text = run.texts[i];
    Plot plot(fmt::format("text{}x", i));
    const auto add = [&](const std::vector<double>& words, double aside, std::size_t index,
                         const char* title) {
      plot.add(bars(word_shares(words), aside),
               fmt::format("using 1:2:3:4:5:6 {} linecolor rgb '{}' title '{}'", kBar, colour(index), title));
    };
    add(text.base_words, -kBarWidth / 2 - 0.02, 0, "base vocabulary");
    add(text.patched_words, kBarWidth / 2 + 0.02, 1, "adapted");
    blocks += plot.blocks();
    panels += fmt::format("set title {}\nplot NaN notitle{}\n", gnuplot_text(text.name), plot.more());
  }
  return {fmt::format("{}-words-{}.svg", file_prefix, number),
          "Histogram of tokens per word, in % of the words of each text, with the base vocabulary and the "
          "adapted one",
          gnuplot_preamble(height) + blocks +
              fmt::format("set multiplot layout {},1\nset xlabel 'tokens that begin in a word'\n"
                          "set ylabel 'words, %'\nset xtics ({}) scale 0\nset xrange [-0.6:{}]\n"
                          "set yrange [0:{:.6g}]\nset key top right\n",
                          run.texts.size(), fmt::join(tics, ", "), kMostTokensPerWord + 0.6, highest * 1.1) +
              panels + "unset multiplot\n"};
}

}  // namespace trisect::report
