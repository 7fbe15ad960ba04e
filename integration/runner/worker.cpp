// phi2 worker: the other end of WorkerProcess; not for people.
#include "integration/runner/worker.hpp"

#include <stdlib.h>

#include <iostream>

#include "integration/phi2/engine/divergence.hpp"
#include "integration/phi2/engine/evaluate.hpp"
#include "integration/phi2/engine/sequence.hpp"
#include "integration/runner/commands.hpp"
#include "integration/runner/record.hpp"
#include "integration/runner/terminal.hpp"
#include "kernels/core/threads.hpp"

namespace trisect::runner {
namespace {

/// Of every op of a dense step.
constexpr const char* kPlainKernels =
    "dense/attention=ref,dense/embedding=ref,dense/gelu=ref,dense/gemm=ref,dense/gemv=ref,dense/"
    "layernorm=ref,"
    "vattention/rope_append=ref";

class Worker {
 public:
  Json answer(const nlohmann::json& request) {
    const std::string what = request.at("do");
    if (what == "load") return load(request);
    if (what == "generate") return generate(request);
    if (what == "logits") return logits(request);
    return evaluate(request);
  }

 private:
  Json load(const nlohmann::json& request) {
    if (request.at("plain_kernels")) setenv("TRISECT_FORCE", kPlainKernels, 1);
    model_ = {.model = request.at("model"),
              .tokenizer = request.at("tokenizer"),
              .patch_tokenizer = request.at("patch_tokenizer"),
              .dtype = request.at("dtype"),
              .device = request.at("device"),
              .cuda_graph = request.at("cuda_graph"),
              .threads = request.at("threads")};
    options_.context = request.at("context");
    options_.kv_cache = vattention::policy_from_name(request.at("kv_cache").get<std::string>());
    if (const auto& larosa = request.at("larosa"); !larosa.is_null()) {
      options_.larosa = {.mode = mode_from_name(larosa.at("mode").get<std::string>()),
                         .rotation = phi2::rotation_kind_from_name(larosa.at("rotation").get<std::string>()),
                         .sparsity_permille = larosa.at("sparsity_permille"),
                         .coefficients = {larosa.at("in_permille"), larosa.at("out_permille")},
                         .prefill = larosa.at("prefill"),
                         .values = larosa.at("values")};
    }
    pin_threads(model_.threads);
    LoadedEngine loaded = load_engine(find_model(model_), options_, request.at("rotations"));
    engine_ = std::move(loaded.engine);
    return {{"load_s", loaded.load_s},
            {"hash", engine_->weights().hash},
            {"rotation", loaded.rotation},
            {"variants", engine_->variants()},
            {"peak_rss_bytes", peak_rss_bytes()},
            {"weight_bytes_per_token", engine_->decode_bytes()}};
  }

  Json generate(const nlohmann::json& request) {
    phi2::GenerateOptions options{.max_new_tokens = request.at("max_new_tokens"),
                                  .sampling = {.temperature = request.at("temperature"),
                                               .top_p = request.at("top_p"),
                                               .seed = request.at("seed")},
                                  .vocabulary = request.at("vocabulary"),
                                  .end_of_text = {}};
    if (const auto& id = request.at("end_of_text"); !id.is_null())
      options.end_of_text = id.get<std::int32_t>();
    const auto ids = request.at("ids").get<std::vector<std::int32_t>>();
    const auto forced = request.at("forced").get<std::vector<std::int32_t>>();
    options.forced = forced;
    const MeasuredGeneration measured = generate_measured(*engine_, ids, options);
    return {{"ids", measured.result.ids},
            {"prefill_s", measured.result.prefill_s},
            {"token_s", measured.result.token_s},
            {"stages_s", measured.decode_stages},
            {"prefill_stages_s", measured.prefill_stages},
            {"memory", memory_json(*engine_, measured.kv)}};
  }

  Json logits(const nlohmann::json& request) {
    const auto ids = request.at("ids").get<std::vector<std::int32_t>>();
    const std::size_t prefilled = request.at("prefilled"), rows = ids.size() - prefilled + 1;
    if (options_.larosa) {
      phi2::LarosaOptions all = *options_.larosa;
      all.sparsity_permille = 0;
      engine_->set_larosa(all);
    }
    Buffer logits(Dtype::kF32, static_cast<std::int64_t>(rows), engine_->config().vocab);
    phi2::Sequence sequence(*engine_, static_cast<int>(ids.size()));
    for (std::size_t row = 0, at = 0; row < rows; ++row) {
      const std::size_t count = row == 0 ? prefilled : 1;
      sequence.step(std::span(ids).subspan(at, count),
                    logits.view().rows_from(static_cast<std::int64_t>(row), 1));
      at += count;
    }
    if (options_.larosa) engine_->set_larosa(*options_.larosa);
    const float* const values = logits.as<float>();
    return {{"logits", std::vector<float>(values, values + logits.bytes() / sizeof(float))}};
  }

  Json evaluate(const nlohmann::json& request) {
    const auto ids = request.at("ids").get<std::vector<std::int32_t>>();
    if (options_.larosa) return diverge(ids);
    const phi2::Quality quality = phi2::evaluate(*engine_, ids, 0, show_progress());
    return {{"tokens", quality.tokens},
            {"predicted", quality.predicted},
            {"nll", number_json(quality.nll)},
            {"kl_nats", nullptr},
            {"agreement", nullptr}};
  }

  /// Beside the same model, dense.
  Json diverge(std::span<const std::int32_t> ids) {
    phi2::EngineOptions dense = options_;
    dense.larosa.reset();
    const phi2::Reference reference(*load_engine(find_model(model_), dense, "").engine, {.ids = ids},
                                    show_progress());
    const phi2::Divergence divergence = reference.compare(*engine_, true, show_progress());
    return {{"tokens", ids.size()},
            {"predicted", divergence.predicted},
            {"nll", number_json(divergence.nll)},
            {"kl_nats", number_json(divergence.mean_kl())},
            {"agreement", number_json(divergence.agreement())}};
  }

  ModelOptions model_;
  phi2::EngineOptions options_;
  std::unique_ptr<phi2::Engine> engine_;
};

ExitCode refuse(ExitCode code, const char* what) {
  print(Json{{"error", what}, {"code", code}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  return code;
}

ExitCode work() {
  Worker worker;
  try {
    for (std::string line; std::getline(std::cin, line);) {
      print(worker.answer(nlohmann::json::parse(line)).dump() + "\n");
    }
    return ExitCode::kOk;
  } catch (const Error& error) {
    return refuse(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return refuse(ExitCode::kEnvironment, "out of memory");
  }
}

}  // namespace

void add_worker(CLI::App& program, ExitCode& exit_code) {
  CLI::App& command =
      *program.add_subcommand("worker", "One side of compare, told what to do on standard input");
  command.group("");
  command.callback([&exit_code] { exit_code = work(); });
}

}  // namespace trisect::runner
