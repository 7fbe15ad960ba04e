// Reads a checkpoint into the input-major layout: bands of rows are read, hashed, converted and transposed
// while they are in cache, and then leave the resident set.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "integration/phi2/model/checkpoint.hpp"
#include "integration/phi2/model/content_hash.hpp"
#include "integration/phi2/model/json.hpp"
#include "integration/phi2/model/overlay.hpp"
#include "integration/phi2/model/weights.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

constexpr std::int64_t kBandRows = 64;  // part of the hash's definition
constexpr std::int64_t kTileColumns = 64;
constexpr std::size_t kReadAhead = std::size_t{64} << 20;

/// How a tensor lies in the file, seen from where it goes. Vectors are added to what is there.
enum class Stored { kSame, kTransposed, kVector };

struct Step {
  Stored stored;
  View to;
  const SafetensorsFile* file;
  const StoredTensor* tensor;
};

/// Half precision has 65536 values; each is rounded once.
const bf16* rounded_halves() {
  static const std::vector<bf16> table = [] {
    std::vector<bf16> values;
    for (std::uint32_t i = 0; i < 0x10000; ++i)
      values.push_back(to_bf16(to_f32(f16{static_cast<std::uint16_t>(i)})));
    return values;
  }();
  return table.data();
}

template <class From, class To>
To convert_value(From value, const bf16* halves) {
  if constexpr (std::is_same_v<From, To>) {
    return value;
  } else if constexpr (std::is_same_v<To, float>) {
    return to_f32(value);
  } else if constexpr (std::is_same_v<To, f16>) {
    return to_f16(to_f32(value));
  } else if constexpr (std::is_same_v<From, f16>) {
    return halves[value.bits];
  } else {
    return to_bf16(value);
  }
}

/// f16 ends at 65504, the others do not.
bool became_infinite(float from, float to) { return std::isinf(to) && !std::isinf(from); }

/// Rows [first, first + rows) of a stored matrix, from `data` to where they belong. False if a value has no
/// place in To.
template <class From, class To>
bool place(const Step& step, const std::byte* data, std::int64_t first, std::int64_t rows) {
  const bool transposed = step.stored == Stored::kTransposed;
  const std::int64_t cols = transposed ? step.to.rows : step.to.cols;
  const bf16* halves = rounded_halves();
  bool fits = true;
  const auto value = [=, &fits](std::int64_t r, std::int64_t c) {
    From from;
    std::memcpy(&from, data + static_cast<std::size_t>(r * cols + c) * sizeof from,
                sizeof from);  // may be unaligned
    const To to = convert_value<From, To>(from, halves);
    if constexpr (std::is_same_v<To, f16> && !std::is_same_v<From, f16>)
      fits = fits && !became_infinite(to_f32(from), to_f32(to));
    return to;
  };
  if (!transposed) {
    for (std::int64_t r = 0; r < rows; ++r) {
      To* row = step.to.row<To>(first + r);
      for (std::int64_t c = 0; c < cols; ++c) row[c] = value(r, c);
    }
    return fits;
  }
  for (std::int64_t begin = 0; begin < cols; begin += kTileColumns) {
    for (std::int64_t c = begin; c < std::min(cols, begin + kTileColumns); ++c) {
      To* row = step.to.row<To>(c) + first;
      for (std::int64_t r = 0; r < rows; ++r) row[r] = value(r, c);
    }
  }
  return fits;
}

using Place = bool (*)(const Step&, const std::byte*, std::int64_t, std::int64_t);

template <class To>
Place place_from(Dtype from) {
  if (from == Dtype::kF16) return place<f16, To>;
  if (from == Dtype::kBf16) return place<bf16, To>;
  return place<float, To>;
}

Place place_of(Dtype from, Dtype to) {
  if (to == Dtype::kF16) return place_from<f16>(from);
  if (to == Dtype::kBf16) return place_from<bf16>(from);
  return place_from<float>(from);
}

/// Every tensor a model must have, checked against what the files have.
class Plan {
 public:
  /// The files have the first `vocab` rows of embedding and head.
  Plan(const Checkpoint& checkpoint, Weights& weights, int vocab) : checkpoint_(checkpoint) {
    add("model.embed_tokens.weight", Stored::kSame, weights.embedding.rows_from(0, vocab));
    for (std::size_t i = 0; i < weights.layers.size(); ++i) add_layer(i, weights.config, weights.layers[i]);
    add("model.final_layernorm.weight", Stored::kVector, weights.final_gain);
    add("model.final_layernorm.bias", Stored::kVector, weights.final_bias);
    add_linear("lm_head", weights.head.columns(0, vocab), weights.head_bias.columns(0, vocab));
    refuse_others();
  }

  const std::map<std::string, Step>& steps() const { return steps_; }

 private:
  void add_layer(std::size_t i, const Config& config, const LayerWeights& layer) {
    const std::string prefix = fmt::format("model.layers.{}.", i);
    add(prefix + "input_layernorm.weight", Stored::kVector, layer.norm_gain);
    add(prefix + "input_layernorm.bias", Stored::kVector, layer.norm_bias);
    const std::int64_t hidden = config.hidden;
    std::int64_t column = 0;
    for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.fc1"}) {
      const std::int64_t width = column == 3 * hidden ? config.intermediate : hidden;
      add_linear(prefix + name, layer.qkvh.columns(column, width), layer.qkvh_bias.columns(column, width));
      column += width;
    }
    add_linear(prefix + "self_attn.dense", layer.out.rows_from(0, hidden), layer.out_bias);
    add_linear(prefix + "mlp.fc2", layer.out.rows_from(hidden, config.intermediate), layer.out_bias);
  }

  void add_linear(const std::string& name, const View& weight, const View& bias) {
    add(name + ".weight", Stored::kTransposed, weight);
    add(name + ".bias", Stored::kVector, bias);
  }

  void add(const std::string& name, Stored stored, const View& to) {
    const auto found = checkpoint_.tensors().find(name);
    if (found == checkpoint_.tensors().end()) {
      environment_error(
          "{}: tensor {} is missing; config.json belongs to another model, or the file is incomplete",
          checkpoint_.listing().string(), name);
    }
    const auto& [file, tensor] = found->second;
    std::vector<std::int64_t> shape{to.rows, to.cols};
    if (stored == Stored::kTransposed) shape = {to.cols, to.rows};
    if (stored == Stored::kVector) shape = {to.cols};
    if (!tensor->floating()) {
      environment_error("{}: tensor {} is {}; convert the model to F32, F16 or BF16", file->path().string(),
                        name, tensor->describe());
    }
    if (tensor->shape != shape) {
      environment_error("{}: tensor {} is {}, but config.json asks for [{}]; they belong to different models",
                        file->path().string(), name, tensor->describe(), fmt::join(shape, ", "));
    }
    steps_[name] = {stored, to, file, tensor};
  }

  void refuse_others() const {
    for (const auto& [name, entry] : checkpoint_.tensors()) {
      if (steps_.contains(name) || name.ends_with("rotary_emb.inv_freq")) continue;
      environment_error(
          "{}: tensor {} has no place in this model; config.json has too few layers, or the model is "
          "not a plain PhiForCausalLM",
          entry.file->path().string(), in_quotes(name));
    }
  }

  const Checkpoint& checkpoint_;
  std::map<std::string, Step> steps_;
};

/// Places one matrix and returns its hash. Everything but the result is the same for any number of threads.
std::uint64_t place_matrix(const Step& step) {
  const MappedFile& mapping = step.file->mapping();
  const StoredTensor& tensor = *step.tensor;
  const std::int64_t rows = step.stored == Stored::kTransposed ? step.to.cols : step.to.rows;
  const std::int64_t bands = (rows + kBandRows - 1) / kBandRows;
  const std::size_t row_bytes = tensor.bytes / static_cast<std::size_t>(rows);
  const Place put = place_of(*tensor.floating(), step.to.dtype);
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(bands));
  std::atomic<bool> lost{false}, fits{true};
#pragma omp parallel for schedule(dynamic) if (bands > 1)
  for (std::int64_t band = 0; band < bands; ++band) {
    const std::int64_t first = band * kBandRows, count = std::min(kBandRows, rows - first);
    const std::size_t offset = tensor.offset + static_cast<std::size_t>(first) * row_bytes;
    const std::size_t length = static_cast<std::size_t>(count) * row_bytes;
    const std::size_t ahead = std::min(offset + kReadAhead, mapping.bytes().size());
    mapping.read_ahead(ahead, std::min(length, mapping.bytes().size() - ahead));
    if (!mapping.populate(offset, length)) {
      lost = true;
      continue;
    }
    const std::byte* data = mapping.bytes().data() + offset;
    hashes[static_cast<std::size_t>(band)] = hash_bytes(data, length);
    if (!put(step, data, first, count)) fits = false;
    mapping.drop(offset, length);
  }
  step.file->drop(tensor);  // the pages that two bands share
  if (lost) {
    environment_error(
        "{}: tensor {} could not be read; the file changed while it was loaded, or the disk failed",
        step.file->path().string(), tensor.name);
  }
  if (!fits) {
    usage_error(
        "{}: tensor {} has values beyond those of f16 (65504); choose bf16 or f32 as the weights' type",
        step.file->path().string(), tensor.name);
  }
  return hash_bytes(hashes.data(), hashes.size() * sizeof hashes[0],
                    hash_text(fmt::format("{} {}", tensor.name, tensor.describe())));
}

std::uint64_t place_step(const Step& step) {
  if (step.stored != Stored::kVector) return place_matrix(step);
  Buffer values(Dtype::kF32, 1, step.to.cols);
  const std::uint64_t hash = place_matrix({Stored::kSame, values.view(), step.file, step.tensor});
  float* sum = step.to.row<float>();
  for (std::int64_t c = 0; c < step.to.cols; ++c) sum[c] += values.as<float>()[c];
  return hash;
}

}  // namespace

Weights read_weights(const std::filesystem::path& directory, const Config& config, Dtype dtype,
                     const Progress& progress, int vocab) {
  const Checkpoint checkpoint(directory);
  Config wide = config;
  wide.vocab = std::max(config.vocab, vocab);
  Weights weights = allocate_weights(wide, dtype);
  const Plan plan(checkpoint, weights, config.vocab);

  std::vector<const Step*> in_file_order;
  std::size_t total = 0;
  for (const auto& [name, step] : plan.steps()) {
    in_file_order.push_back(&step);
    total += step.tensor->bytes;
  }
  std::sort(in_file_order.begin(), in_file_order.end(), [](const Step* a, const Step* b) {
    return std::pair(a->file->path(), a->tensor->offset) < std::pair(b->file->path(), b->tensor->offset);
  });

  std::map<std::string, std::uint64_t> hashes;  // in the order of the names, whatever the files' order
  std::size_t done = 0;
  for (const Step* step : in_file_order) {
    hashes[step->tensor->name] = place_step(*step);
    done += step->tensor->bytes;
    if (progress) progress("loading", static_cast<double>(done) / static_cast<double>(total));
  }
  std::uint64_t hash = hash_text(config.geometry());
  for (const auto& [name, value] : hashes) hash = hash_bytes(&value, sizeof value, hash);
  weights.hash = hash_name(hash);
  if (const auto overlay = find_overlay(directory);
      overlay && overlay->hash.value_or(weights.hash) != weights.hash) {
    environment_error(
        "{}: hash is {}, but over {} the weights are {}: it lies over another version of that model",
        (directory / "overlay.json").string(), *overlay->hash, overlay->base.string(), weights.hash);
  }
  return weights;
}

}  // namespace trisect::phi2
