#include "integration/phi2/engine/calibration_state.hpp"

#include <charconv>
#include <cstring>
#include <vector>

#include "integration/phi2/model/safetensors.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

namespace fs = std::filesystem;

constexpr char kProgressFile[] = "progress.safetensors";
constexpr bool kDurable = false;  // it can be calibrated again

/// f64 as pairs of words, since the files know no wider type here.
View words(const Moments& moments) {
  return View::of(reinterpret_cast<const std::int32_t*>(moments.data()), moments.cols(), 2 * moments.rows());
}

void read(const SafetensorsFile& file, const char* name, const View& to) {
  const StoredTensor* tensor = file.find(name);
  if (tensor == nullptr || tensor->bytes != to.bytes() ||
      !file.mapping().populate(tensor->offset, tensor->bytes)) {
    environment_error("{}: {} is missing or of another size; remove {} to begin anew", file.path().string(),
                      name, file.path().parent_path().string());
  }
  std::memcpy(to.data, file.data(*tensor), tensor->bytes);
}

std::string entry(const SafetensorsFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? "" : found->second;
}

}  // namespace

fs::path CalibrationState::layer_file(int layer) const {
  return directory_ / fmt::format("layer-{:04}.safetensors", layer);
}

int CalibrationState::load(const View& residual, Moments& sum, Rotations& rotations) const {
  std::error_code ignored;
  if (!keeps() || !fs::exists(directory_ / kProgressFile, ignored)) return 0;
  const SafetensorsFile file(directory_ / kProgressFile);
  if (entry(file, "identity") != identity_) {
    environment_error("{}: holds another calibration ({}); remove it, or repeat that one",
                      directory_.string(), entry(file, "identity"));
  }
  const std::string finished = entry(file, "layers");
  int layers = 0;
  std::from_chars(finished.data(), finished.data() + finished.size(), layers);
  read(file, "residual", residual);
  if (sum.size() > 0) read(file, "sum", words(sum));
  for (int layer = 0; layer < layers; ++layer) {
    const SafetensorsFile matrices(layer_file(layer));
    const auto take = [&](const char* name, std::vector<Buffer>& to) {
      const StoredTensor* tensor = matrices.find(name);
      if (tensor == nullptr || tensor->shape.size() != 2) return;
      to.emplace_back(Dtype::kF32, tensor->shape[0], tensor->shape[1]);
      read(matrices, name, to.back().view());
    };
    take("rotation", rotations.rotation_matrices);
    take("values", rotations.value_matrices);
  }
  return layers;
}

void CalibrationState::save(int layer, const View& residual, const Moments& sum,
                            const Rotations& rotations) const {
  if (!keeps()) return;
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) environment_error("cannot create {}: {}", directory_.string(), error.message());
  std::vector<NamedTensor> matrices;
  if (rotations.per_layer()) matrices.push_back({"rotation", rotations.rotation_matrices.back().view(), {}});
  if (rotations.info().values) matrices.push_back({"values", rotations.value_matrices.back().view(), {}});
  write_safetensors(layer_file(layer), matrices, {}, kDurable);
  std::vector<NamedTensor> progress{{"residual", residual, {}}};
  if (sum.size() > 0) progress.push_back({"sum", words(sum), {}});
  write_safetensors(directory_ / kProgressFile, progress,
                    {{"identity", identity_}, {"layers", fmt::format("{}", layer + 1)}}, kDurable);
}

}  // namespace trisect::phi2
