#include "integration/phi2/model/rotations.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "integration/phi2/model/json.hpp"
#include "integration/phi2/model/safetensors.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

constexpr char kFormat[] = "trisect-rotations";
constexpr char kVersion[] = "2";
constexpr char kRemedy[] = "run phi2 calibrate for this model";
constexpr std::array<std::string_view, 4> kKindNames = {"layer", "global", "random", "none"};
constexpr std::int64_t kSampledColumns = 8;
constexpr float kTolerance = 1e-3f;

std::string rotation_name(int layer) { return fmt::format("layers.{}.rotation", layer); }
std::string values_name(int layer) { return fmt::format("layers.{}.values", layer); }
constexpr char kGlobalName[] = "rotation";

/// A file and its metadata, each complaint with the file's name.
class Record {
 public:
  explicit Record(const std::filesystem::path& path) : file_(path) {
    expect("format", kFormat);
    expect("version", kVersion);
    const auto kind = std::find(kKindNames.begin(), kKindNames.end(), text("kind"));
    if (kind == kKindNames.end()) fail("kind is {}", in_quotes(text("kind")));
    info_ = {.kind = static_cast<RotationKind>(kind - kKindNames.begin()),
             .values = text("values") == "yes",
             .model_hash = text("model_hash"),
             .text_hash = text("text_hash"),
             .text_tokens = static_cast<std::int64_t>(number("text_tokens")),
             .space = text("space"),
             .damping = number("damping")};
    if (file_.metadata().contains("coefficient_in_permille")) {
      info_.coefficients = {static_cast<int>(number("coefficient_in_permille", kMaxCoefficient)),
                            static_cast<int>(number("coefficient_out_permille", kMaxCoefficient))};
      info_.search_sparsity_permille = static_cast<int>(number("search_sparsity_permille", 1000));
      info_.search_tokens = static_cast<std::int64_t>(number("search_tokens"));
    }
  }

  const SafetensorsFile& file() const { return file_; }
  const RotationInfo& info() const { return info_; }

  const std::string& text(const char* key) const {
    const auto found = file_.metadata().find(key);
    if (found == file_.metadata().end()) fail("metadata has no {}", key);
    return found->second;
  }
  double number(const char* key, double most = 1e15) const {
    const std::string& value = text(key);
    char* end = nullptr;
    const double result = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0' || !(result >= 0 && result <= most))
      fail("metadata {} is {}, not a number", key, in_quotes(value));
    return result;
  }
  void expect(const char* key, std::string_view wanted) const {
    if (text(key) != wanted) fail("{} is {}, not {}", key, in_quotes(text(key)), in_quotes(wanted));
  }
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    environment_error("{}: {}; {}", file_.path().string(), fmt::format(format, std::forward<Args>(args)...),
                      kRemedy);
  }

 private:
  static constexpr double kMaxCoefficient = 1e5;

  SafetensorsFile file_;
  RotationInfo info_;
};

/// The largest |(Q^T Q - I)[i][j]| over some columns i and all columns j; NaN if any of them is.
float deviation(const View& q) {
  const std::int64_t n = q.rows, sampled = std::min(n, kSampledColumns);
  float worst = 0;
#pragma omp parallel for schedule(static)
  for (std::int64_t s = 0; s < sampled; ++s) {
    const std::int64_t i = s * n / sampled;
    std::vector<float> product(static_cast<std::size_t>(n));
    product[static_cast<std::size_t>(i)] = -1;
    for (std::int64_t r = 0; r < n; ++r) {
      const float* row = q.row<float>(r);
#pragma omp simd
      for (std::int64_t j = 0; j < n; ++j) product[static_cast<std::size_t>(j)] += row[i] * row[j];
    }
    float largest = 0;
    for (const float value : product)
      largest = std::isnan(value) ? value : std::max(largest, std::abs(value));
#pragma omp critical
    worst = std::isnan(largest) ? largest : std::max(worst, largest);
  }
  return worst;
}

class FileRotations : public RotationSource {
 public:
  FileRotations(const std::filesystem::path& path, const Config& config, std::string_view model_hash,
                std::string_view space)
      : RotationSource({}), record_(path), hidden_(config.hidden), head_dim_(config.head_dim) {
    info_ = record_.info();
    if (info_.space != space) {
      record_.fail("its space is {}, not {}: {} modes need the latter", in_quotes(info_.space),
                   in_quotes(space), space == kCentredSpace ? "merged" : "naive and online");
    }
    record_.expect("model_hash", model_hash);
    const std::size_t layers = static_cast<std::size_t>(config.layers);
    const std::size_t count = (per_layer() ? layers : rotates()) + (info_.values ? layers : 0);
    if (record_.file().tensors().size() != count) {
      record_.fail("{} matrices, not {}, for {} layers", record_.file().tensors().size(), count, layers);
    }
    for (int i = 0; i < config.layers; ++i) {
      if (rotates()) require(name_of_rotation(i), hidden_);
      if (info_.values) require(values_name(i), head_dim_);
    }
  }

  Buffer rotation(int layer) const override {
    const std::string name = name_of_rotation(layer);
    Buffer matrix = read(name, hidden_);
    require_orthogonal(name, matrix.view());
    return matrix;
  }

  Buffer values(int layer) const override {
    const std::string name = values_name(layer);
    Buffer matrices = read(name, head_dim_);
    for (std::int64_t first = 0; first < hidden_; first += head_dim_) {
      require_orthogonal(name, matrices.view().rows_from(first, head_dim_));
    }
    return matrices;
  }

 private:
  std::string name_of_rotation(int layer) const { return per_layer() ? rotation_name(layer) : kGlobalName; }

  void require(const std::string& name, std::int64_t cols) const {
    const StoredTensor* tensor = record_.file().find(name);
    if (tensor == nullptr) record_.fail("no {}", name);
    if (tensor->dtype != "F32" || tensor->shape != std::vector{hidden_, cols}) {
      record_.fail("{} is {}, not F32 [{}, {}]", name, tensor->describe(), hidden_, cols);
    }
  }

  Buffer read(const std::string& name, std::int64_t cols) const {
    const StoredTensor& tensor = *record_.file().find(name);
    if (!record_.file().mapping().populate(tensor.offset, tensor.bytes))
      record_.fail("{} could not be read", name);
    Buffer matrix(Dtype::kF32, hidden_, cols);
    std::memcpy(matrix.data(), record_.file().data(tensor), tensor.bytes);
    record_.file().drop(tensor);
    return matrix;
  }

  void require_orthogonal(const std::string& name, const View& q) const {
    if (const float error = deviation(q); !(error < kTolerance)) {
      record_.fail("{} is not orthogonal: |Q'Q - I| reaches {:.2g}", name, error);
    }
  }

  Record record_;
  std::int64_t hidden_, head_dim_;
};

Buffer copy_of(const Buffer& from) {
  Buffer to(Dtype::kF32, from.view().rows, from.view().cols);
  std::memcpy(to.data(), from.data(), from.bytes());
  return to;
}

}  // namespace

std::string_view name_of(RotationKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

RotationKind rotation_kind_from_name(std::string_view name) {
  const auto found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end()) usage_error("rotation '{}': choose layer, global, random or none", name);
  return static_cast<RotationKind>(found - kKindNames.begin());
}

Buffer Rotations::rotation(int layer) const {
  return copy_of(rotation_matrices.at(per_layer() ? static_cast<std::size_t>(layer) : 0));
}

Buffer Rotations::values(int layer) const {
  return copy_of(value_matrices.at(static_cast<std::size_t>(layer)));
}

void save_rotations(const std::filesystem::path& path, const Rotations& rotations) {
  const RotationInfo& info = rotations.info();
  std::vector<NamedTensor> tensors;
  for (const Buffer& q : rotations.rotation_matrices) {
    tensors.push_back({rotations.per_layer() ? rotation_name(static_cast<int>(tensors.size())) : kGlobalName,
                       q.view(),
                       {}});
  }
  int layer = 0;
  for (const Buffer& values : rotations.value_matrices)
    tensors.push_back({values_name(layer++), values.view(), {}});
  Metadata metadata{{"format", kFormat},
                    {"version", kVersion},
                    {"kind", std::string(name_of(info.kind))},
                    {"values", info.values ? "yes" : "no"},
                    {"model_hash", info.model_hash},
                    {"text_hash", info.text_hash},
                    {"text_tokens", fmt::format("{}", info.text_tokens)},
                    {"space", info.space},
                    {"damping", fmt::format("{}", info.damping)}};
  if (info.coefficients) {
    metadata["coefficient_in_permille"] = fmt::format("{}", info.coefficients->in_permille);
    metadata["coefficient_out_permille"] = fmt::format("{}", info.coefficients->out_permille);
    metadata["search_sparsity_permille"] = fmt::format("{}", info.search_sparsity_permille);
    metadata["search_tokens"] = fmt::format("{}", info.search_tokens);
  }
  write_safetensors(path, tensors, metadata);
}

RotationInfo read_rotation_info(const std::filesystem::path& path) { return Record(path).info(); }

std::unique_ptr<RotationSource> open_rotations(const std::filesystem::path& path, const Config& config,
                                               std::string_view model_hash, std::string_view space) {
  return std::make_unique<FileRotations>(path, config, model_hash, space);
}

}  // namespace trisect::phi2
