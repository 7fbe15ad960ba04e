#include "integration/phi2/model/rotations.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "integration/phi2/model/json.hpp"
#include "integration/phi2/model/safetensors.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

constexpr char kFormat[] = "trisect-rotations";
constexpr char kVersion[] = "1";
constexpr char kRemedy[] = "run phi2 calibrate for this model";
constexpr std::int64_t kSampledColumns = 8;
constexpr float kTolerance = 1e-3f;

std::string tensor_name(std::size_t layer) { return fmt::format("layers.{}.rotation", layer); }

/// The metadata of one file, each complaint with the file's name.
class Record {
 public:
  explicit Record(const SafetensorsFile& file) : file_(file) {}

  const std::string& text(const char* key) const {
    const auto found = file_.metadata().find(key);
    if (found == file_.metadata().end()) fail("metadata has no {}", key);
    return found->second;
  }
  double number(const char* key) const {
    const std::string& value = text(key);
    char* end = nullptr;
    const double result = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0' || !(result >= 0 && result <= 1e15))
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
  const SafetensorsFile& file_;
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

}  // namespace

Rotations allocate_rotations(const Config& config, Dtype dtype) {
  if (dtype != Dtype::kBf16 && dtype != Dtype::kF32)
    usage_error("rotations in {}: choose bf16 or f32", name_of(dtype));
  Rotations rotations;
  const std::int64_t n = config.hidden;
  rotations.storage = Buffer(dtype, n * config.layers, n);
  for (int i = 0; i < config.layers; ++i)
    rotations.layers.push_back(rotations.storage.view().rows_from(i * n, n));
  return rotations;
}

void save_rotations(const std::filesystem::path& path, const Rotations& rotations) {
  const RotationInfo& info = rotations.info;
  std::vector<NamedTensor> tensors;
  for (const View& q : rotations.layers) tensors.push_back({tensor_name(tensors.size()), q, {}});
  write_safetensors(path, tensors,
                    {{"format", kFormat},
                     {"version", kVersion},
                     {"model_hash", info.model_hash},
                     {"text_hash", info.text_hash},
                     {"text_tokens", fmt::format("{}", info.text_tokens)},
                     {"space", info.space},
                     {"damping", fmt::format("{}", info.damping)}});
}

Rotations load_rotations(const std::filesystem::path& path, const Config& config, std::string_view model_hash,
                         std::string_view space, Dtype dtype) {
  const SafetensorsFile file(path);
  const Record record(file);
  record.expect("format", kFormat);
  record.expect("version", kVersion);
  record.expect("space", space);
  record.expect("model_hash", model_hash);
  if (file.tensors().size() != static_cast<std::size_t>(config.layers)) {
    record.fail("{} rotations for a model of {} layers", file.tensors().size(), config.layers);
  }
  Rotations rotations = allocate_rotations(config, dtype);
  rotations.info = {record.text("model_hash"), record.text("text_hash"),
                    static_cast<std::int64_t>(record.number("text_tokens")), record.text("space"),
                    record.number("damping")};
  const std::int64_t n = config.hidden;
  Buffer matrix(Dtype::kF32, n, n);  // aligned, and checked before it is rounded
  for (std::size_t i = 0; i < rotations.layers.size(); ++i) {
    const StoredTensor* tensor = file.find(tensor_name(i));
    if (tensor == nullptr) record.fail("no {}", tensor_name(i));
    if (tensor->dtype != "F32" || tensor->shape != std::vector{n, n}) {
      record.fail("{} is {}, not F32 [{}, {}]", tensor->name, tensor->describe(), n, n);
    }
    if (!file.mapping().populate(tensor->offset, tensor->bytes))
      record.fail("{} could not be read", tensor->name);
    std::memcpy(matrix.data(), file.data(*tensor), tensor->bytes);
    file.drop(*tensor);
    if (const float error = deviation(matrix.view()); !(error < kTolerance)) {
      record.fail("{} is not orthogonal: |Q'Q - I| reaches {:.2g}", tensor->name, error);
    }
    convert(matrix.data(), Dtype::kF32, rotations.layers[i].data, dtype, static_cast<std::size_t>(n * n));
  }
  return rotations;
}

}  // namespace trisect::phi2
