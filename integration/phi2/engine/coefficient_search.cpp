#include "integration/phi2/engine/coefficient_search.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "integration/phi2/model/content_hash.hpp"
#include "integration/phi2/model/safetensors.hpp"
#include "kernels/core/error.hpp"
#include "kernels/core/interrupt.hpp"

namespace trisect::phi2 {
namespace {

namespace fs = std::filesystem;

constexpr int kWindow = 512;
constexpr int kFirst = 500, kLast = 1500, kStep = 50;

void add(const Divergence& more, Divergence& sum) {
  sum.predicted += more.predicted;
  sum.nll += more.nll;
  sum.kl += more.kl;
  sum.agreeing += more.agreeing;
}

/// The sums of finished windows, in a file that is replaced after each.
class SearchState {
 public:
  SearchState(fs::path file, std::string identity) : file_(std::move(file)), identity_(std::move(identity)) {}

  /// Fills in the sums and returns how many tokens they are of.
  std::size_t load(std::vector<GridPoint>& grid) const {
    std::error_code ignored;
    if (file_.empty() || !fs::exists(file_, ignored)) return 0;
    const SafetensorsFile stored(file_);
    const auto entry = [&](const char* key) {
      const auto found = stored.metadata().find(key);
      return found == stored.metadata().end() ? std::string() : found->second;
    };
    const StoredTensor* sums = stored.find(kName);
    if (entry("identity") != identity_ || sums == nullptr || sums->bytes != grid.size() * sizeof(Sums))
      return 0;
    const std::string tokens = entry("tokens");
    std::size_t finished = 0;
    std::from_chars(tokens.data(), tokens.data() + tokens.size(), finished);
    for (std::size_t i = 0; i < grid.size(); ++i) {
      Sums point;
      std::memcpy(&point, stored.data(*sums) + i * sizeof(Sums), sizeof(Sums));
      grid[i].error = {
          .predicted = point.predicted, .nll = point.nll, .kl = point.kl, .agreeing = point.agreeing};
    }
    return finished;
  }

  void save(const std::vector<GridPoint>& grid, std::size_t tokens) const {
    if (file_.empty()) return;
    std::error_code error;
    fs::create_directories(file_.parent_path(), error);
    if (error) environment_error("cannot create {}: {}", file_.parent_path().string(), error.message());
    std::vector<Sums> sums;
    for (const GridPoint& point : grid) {
      sums.push_back({point.error.predicted, point.error.agreeing, point.error.nll, point.error.kl});
    }
    constexpr std::int64_t kWords = sizeof(Sums) / sizeof(std::int32_t);
    const View words = View::of(reinterpret_cast<std::int32_t*>(sums.data()),
                                static_cast<std::int64_t>(sums.size()), kWords);
    const NamedTensor tensor{kName, words, {}};
    write_safetensors(file_, std::span(&tensor, 1),
                      {{"identity", identity_}, {"tokens", fmt::format("{}", tokens)}}, /*durable=*/false);
  }

  bool keeps() const { return !file_.empty(); }

 private:
  static constexpr char kName[] = "sums";
  struct Sums {
    std::int64_t predicted, agreeing;
    double nll, kl;
  };

  fs::path file_;
  std::string identity_;
};

std::string identity(const Engine& engine, std::span<const std::int32_t> ids, int sparsity_permille) {
  const LarosaOptions& larosa = *engine.larosa();
  return fmt::format("model {} in {}, {} tokens {}, mode {}, rotation {}, sparsity {}, grid {} to {} by {}",
                     engine.weights().hash, name_of(engine.weights().dtype), ids.size(),
                     hash_name(hash_bytes(ids.data(), ids.size_bytes())), static_cast<int>(larosa.mode),
                     name_of(larosa.rotation), sparsity_permille, kFirst, kLast, kStep);
}

}  // namespace

std::vector<Coefficients> coefficient_grid(const Config& config, int sparsity_permille) {
  if (sparsity_permille <= 0 || sparsity_permille >= 1000) {
    usage_error("no coefficients to search for at a sparsity of {:.3f}: choose one within (0, 1)",
                sparsity_permille / 1000.0);
  }
  std::vector<Coefficients> grid;
  for (int in_permille = kFirst; in_permille <= kLast; in_permille += kStep) {
    if (const auto pair = balanced(config, sparsity_permille, in_permille)) grid.push_back(*pair);
  }
  return grid;
}

std::vector<GridPoint> search_coefficients(Engine& engine, std::span<const std::int32_t> ids,
                                           int sparsity_permille, const Progress& progress,
                                           const std::filesystem::path& state_file) {
  if (ids.size() < 2) usage_error("the text has {} tokens: at least 2 are needed to search", ids.size());
  std::vector<GridPoint> grid;
  for (const Coefficients& pair : coefficient_grid(engine.config(), sparsity_permille))
    grid.push_back({pair, {}});
  const SearchState state(state_file, identity(engine, ids, sparsity_permille));
  const std::size_t window = static_cast<std::size_t>(std::min(kWindow, engine.context()));
  LarosaOptions options = *engine.larosa();
  options.prefill = true;
  for (std::size_t at = state.load(grid); at + 2 <= ids.size();) {
    const auto part = ids.subspan(at, std::min(window, ids.size() - at));
    const TextWalk text{.ids = part, .window = static_cast<int>(window)};
    options.sparsity_permille = 0;
    engine.set_larosa(options);
    const Reference dense(engine, text);
    options.sparsity_permille = sparsity_permille;
    for (std::size_t i = 0; i < grid.size(); ++i) {
      options.coefficients = grid[i].coefficients;
      engine.set_larosa(options);
      add(dense.compare(engine, /*sparse_prompt=*/true), grid[i].error);
      if (interrupted()) {
        throw Error(ExitCode::kInterrupted,
                    state.keeps() ? "the search was interrupted: the same command goes on with it"
                                  : "the search was interrupted");
      }
      const double windows = static_cast<double>(i + 1) / static_cast<double>(grid.size());
      if (progress) {
        progress("searching", (static_cast<double>(at) + windows * static_cast<double>(part.size())) /
                                  static_cast<double>(ids.size()));
      }
    }
    at += part.size();
    state.save(grid, at);
  }
  return grid;
}

const GridPoint& best_of(const std::vector<GridPoint>& grid) {
  return *std::min_element(grid.begin(), grid.end(), [](const GridPoint& a, const GridPoint& b) {
    return a.error.mean_kl() < b.error.mean_kl();
  });
}

}  // namespace trisect::phi2
