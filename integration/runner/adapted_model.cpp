#include "integration/runner/adapted_model.hpp"

#include <cstring>

#include "integration/phi2/model/checkpoint.hpp"
#include "integration/phi2/model/config.hpp"
#include "integration/phi2/model/json.hpp"
#include "kernels/core/atomic_file.hpp"
#include "kernels/core/error.hpp"

namespace trisect::runner {
namespace {

namespace fs = std::filesystem;
using adaptivocab::Heaviest;

/// The tensors of the patched tables by name; the others stay in the checkpoint's files.
class AdaptedTensors {
 public:
  AdaptedTensors(const phi2::Checkpoint& checkpoint, const phi2::Config& config,
                 const phi2::PatchVocabulary& vocabulary)
      : checkpoint_(checkpoint),
        vocabulary_(vocabulary),
        base_rows_(config.vocab),
        rows_(std::max(config.vocab, vocabulary.size())),
        hidden_(config.hidden) {}

  int rows() const { return rows_; }

  std::vector<phi2::NamedTensor> all() {
    std::vector<phi2::NamedTensor> tensors;
    for (const auto& [name, entry] : checkpoint_.tensors()) {
      if (const auto type = entry.tensor->floating()) {
        tensors.push_back({name, values_of(name, entry, *type), shape_of(name, entry)});
      }
    }
    return tensors;
  }

 private:
  static bool is_table(const std::string& name) {
    return name == "model.embed_tokens.weight" || name == "lm_head.weight" || name == "lm_head.bias";
  }

  std::vector<std::int64_t> shape_of(const std::string& name, const phi2::Checkpoint::Entry& entry) const {
    std::vector<std::int64_t> shape = entry.tensor->shape;
    if (is_table(name)) shape[0] = rows_;
    return shape;
  }

  View values_of(const std::string& name, const phi2::Checkpoint::Entry& entry, Dtype type) {
    const std::byte* data = entry.file->data(*entry.tensor);
    if (!is_table(name)) {
      const auto count = static_cast<std::int64_t>(entry.tensor->bytes / size_of(type));
      return View(const_cast<std::byte*>(data), type, 1, count);
    }
    const bool bias = name == "lm_head.bias";
    const std::int64_t width = bias ? 1 : hidden_;
    const std::vector<std::int64_t> shape = bias ? std::vector{base_rows_} : std::vector{base_rows_, hidden_};
    if (entry.tensor->shape != shape) {
      environment_error("{}: tensor {} is {}, but config.json asks for [{}]; they belong to different models",
                        entry.file->path().string(), name, entry.tensor->describe(), fmt::join(shape, ", "));
    }
    const auto count = static_cast<std::size_t>(base_rows_ * width);
    Buffer table = bias ? Buffer(Dtype::kF32, 1, rows_) : Buffer(Dtype::kF32, rows_, width);
    Buffer stored(entry.tensor->bytes);
    std::memcpy(stored.data(), data, entry.tensor->bytes);  // the file's may be unaligned
    convert(stored.data(), type, table.data(), Dtype::kF32, count);
    if (bias) {
      phi2::patch_columns(table.view(), vocabulary_, Heaviest::kFirst);
    } else {
      phi2::patch_rows(table.view(), vocabulary_,
                       name == "lm_head.weight" ? Heaviest::kFirst : Heaviest::kLast);
    }
    Buffer& made = tables_.emplace_back(type, rows_, width);
    convert(table.data(), Dtype::kF32, made.data(), type, static_cast<std::size_t>(rows_ * width));
    return made.view();
  }

  const phi2::Checkpoint& checkpoint_;
  const phi2::PatchVocabulary& vocabulary_;
  std::int64_t base_rows_;
  int rows_;
  std::int64_t hidden_;
  std::vector<Buffer> tables_;
};

void copy_if_there(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (!fs::exists(from, error)) return;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error) environment_error("{}: cannot be copied to {}: {}", from.string(), to.string(), error.message());
}

/// As the model's, with other numbers for what the patch changes.
void write_config(const fs::path& from, const fs::path& to, const phi2::PatchVocabulary& vocabulary,
                  int rows) {
  nlohmann::json config = phi2::load_json(from);
  config["vocab_size"] = rows;
  const auto ids = vocabulary.ids_of_base();
  for (const char* key : {"bos_token_id", "eos_token_id"}) {
    if (!config.contains(key) || !config[key].is_number_integer()) continue;
    const auto token = config[key].get<std::int64_t>();
    if (token < 0 || token >= vocabulary.base_tokens) continue;
    const auto id = ids[static_cast<std::size_t>(token)];
    config[key] = id >= 0 ? nlohmann::json(id) : nlohmann::json();
  }
  write_atomically(to, config.dump(2) + "\n");
}

}  // namespace

void refuse_adapted(const fs::path& directory) {
  std::error_code ignored;
  if (fs::exists(directory / phi2::kPatchFile, ignored)) {
    usage_error("{} is adapted already (it has a {}): adapt the model that it came from", directory.string(),
                phi2::kPatchFile);
  }
}

void refuse_same_directory(const fs::path& model, const fs::path& output) {
  std::error_code ignored;
  if (fs::equivalent(model, output, ignored)) {
    usage_error("--output {}: is the model's own directory; choose another", output.string());
  }
}

void make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) environment_error("cannot create {}: {}", directory.string(), error.message());
}

void write_adapted_model(const fs::path& model, const phi2::PatchVocabulary& vocabulary,
                         const fs::path& output, const phi2::Progress& progress) {
  const auto show = [&](double fraction) {
    if (progress) progress("writing the adapted model", fraction);
  };
  const phi2::Config config = phi2::load_config(model / "config.json");
  if (vocabulary.base_tokens > config.vocab) {
    environment_error("{}: the tokenizer has {} tokens, the model {}: it is of another model", model.string(),
                      vocabulary.base_tokens, config.vocab);
  }
  const phi2::Checkpoint checkpoint(model);
  AdaptedTensors tensors(checkpoint, config, vocabulary);
  show(0);
  const std::vector<phi2::NamedTensor> all = tensors.all();
  show(0.5);
  phi2::write_safetensors(output / "model.safetensors", all, {{"format", "pt"}});
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
    copy_if_there(model / name, output / name);
  }
  write_config(model / "config.json", output / "config.json", vocabulary, tensors.rows());
  show(1);
}

}  // namespace trisect::runner
