// A process of its own for each side of a comparison: memory that one side needs is not counted for the
// other, and a process's peak never falls. The worker obeys requests, one line of JSON each, and answers with
// one line.
//
//   {"do": "load", "model", "dtype", "device", "threads", "cuda_graph", "context", "kv_cache",
//   "plain_kernels": the references
//    alone, "rotations": FILE or "", "larosa": null | {"mode", "rotation", "sparsity_permille",
//    "in_permille", "out_permille", "values", "prefill"}}
//       {"load_s", "hash", "rotation", "variants", "peak_rss_bytes", "weight_bytes_per_token"}
//   {"do": "generate", "ids", "forced", "max_new_tokens", "temperature", "top_p", "seed", "vocabulary",
//   "end_of_text": id | null}
//       {"ids", "prefill_s", "token_s", "stages_s", "prefill_stages_s", "memory"}
//   {"do": "logits", "ids", "prefilled"}
//       {"logits"}: of the last of the `prefilled` tokens and of each after it, decoded; LaRoSA drops nothing
//   {"do": "evaluate", "ids"}
//       {"tokens", "predicted", "nll", "kl_nats", "agreement"}; the last two beside the same model without
//       LaRoSA, or null
//
// What goes wrong is answered by {"error", "code"}, and ends the worker.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>

namespace trisect::runner {

/// The parent's end. The worker ignores Ctrl-C, which its parent heeds, and dies with it.
class WorkerProcess {
 public:
  /// `name` is for error messages; `processors` are those that the worker may use. Throws
  /// Error(kEnvironment).
  WorkerProcess(std::string name, const cpu_set_t& processors);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  ~WorkerProcess();

  /// Throws the worker's own Error, Error(kEnvironment) when it died, Error(kInterrupted) after Ctrl-C.
  nlohmann::json ask(const nlohmann::json& request);

 private:
  [[noreturn]] void complain_of_death();
  void send_line(const std::string& line);
  std::string receive_line();

  std::string name_;
  pid_t pid_ = -1;
  int socket_ = -1;
  std::string received_;  // beyond the last line taken
};

}  // namespace trisect::runner
