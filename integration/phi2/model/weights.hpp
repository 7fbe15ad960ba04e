// The one resident copy of a model's weights, laid out as both decode and prefill read it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "integration/phi2/model/config.hpp"
#include "integration/phi2/model/model_dir.hpp"
#include "kernels/core/buffer.hpp"
#include "kernels/core/random.hpp"
#include "kernels/core/tensor.hpp"

namespace trisect::phi2 {

/// A matrix of weights. Its elements are where a view says, unless something that only dense products read
/// was laid out as they like it best.
struct Matrix : View {
  Matrix() = default;
  Matrix(const View& in_rows) : View(in_rows) {}
  bool in_panels = false;  ///< dense/panels.hpp
};

/// Matrices are input-major, [in][out]: row i holds what input i contributes to every output, the transpose
/// of how Hugging Face stores them. Vectors are f32 [1][n].
struct LayerWeights {
  View norm_gain, norm_bias;  ///< [1][hidden]
  Matrix qkvh;                ///< [hidden][3 * hidden + intermediate]: q | k | v | fc1 side by side
  View qkvh_bias;             ///< [1][3 * hidden + intermediate]
  Matrix out;                 ///< [hidden + intermediate][hidden]: the rows of dense, then those of fc2
  View out_bias;              ///< [1][hidden]: dense's plus fc2's, which only ever occur as a sum
};

/// Move-only: the views point into `storage`, one allocation in huge pages. Every row begins at a multiple of
/// 64 bytes; columns past the end of a row are zero.
struct Weights {
  Config config;
  Dtype dtype = Dtype::kBf16;  ///< of the matrices: bf16, f16 or f32
  View embedding;              ///< [vocab][hidden]
  std::vector<LayerWeights> layers;
  View final_gain, final_bias;  ///< [1][hidden]
  Matrix head;                  ///< [hidden][vocab]
  View head_bias;               ///< [1][vocab]
  Buffer storage;
  Device device = Device::kCpu;  ///< whose memory the views point into
  Tensor device_storage;         ///< that memory, when it is not the CPU's: `storage` is then empty
  /// Identity of the model, the same for each dtype it is loaded as: hash_bytes() of every stored tensor the
  /// model has (name, type, shape, data) and of Config::geometry(). 16 hexadecimal digits.
  std::string hash;

  std::size_t bytes() const { return device == Device::kCpu ? storage.bytes() : device_storage.bytes(); }
};

/// Called from the loading thread after each part, the last time with fraction 1. May throw to stop.
using Progress = std::function<void(std::string_view what, double fraction)>;

/// Zero weights of the right shapes, to be filled in. `dtype` is bf16, f16 or f32, else Error(kUsage).
Weights allocate_weights(const Config& config, Dtype dtype);

/// Reads a model directory's safetensors (F32, F16 or BF16, rounded to nearest even where they must be
/// narrowed). Every tensor's presence, type and shape is checked before anything is read, and so is that
/// there are no others (old releases store rotary_emb.inv_freq, which is ignored), and that no value is too
/// large for f16 when they are kept in it. Beyond the weights it
/// needs less than 2 MB a thread: pages of the files leave the resident set as they are used. Throws
/// Error(kEnvironment) with file and tensor. The embedding and the head get at least `vocab` rows; those that
/// the files do not have are zero, for patch() to fill (config.vocab counts them, the hash does not).
Weights read_weights(const std::filesystem::path& directory, const Config& config, Dtype dtype,
                     const Progress& progress = {}, int vocab = 0);

/// Random weights on which speed is the same as on trained ones and activations stay of order one through all
/// layers: normal embeddings, matrices of variance 1/inputs (those that write to the residual stream divided
/// by 2 * layers more), small biases. Depends on (config, seed) alone.
Weights synthetic_weights(const Config& config, Dtype dtype, Seed seed, const Progress& progress = {});

/// Brings them to a device, part by part, and gives up the copy on the host. Throws Error(kEnvironment) with
/// both sizes when they do not fit.
Weights move_weights(Weights weights, Device device, const Progress& progress = {});

/// Whichever the source asks for, with at least `vocab` rows of embedding and head.
Weights load_weights(const ModelSource& source, Dtype dtype, const Progress& progress = {}, int vocab = 0);

}  // namespace trisect::phi2
