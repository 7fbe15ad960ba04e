#include "reports/generator/why.hpp"

namespace trisect::report {

const std::vector<Question>& questions() {
  using namespace why;
  static const std::vector<Question> all = {{"Why this time",
                                             {{"other_device", other_device},
                                              {"within_noise", within_noise},
                                              {"overhead_and_saving", overhead_and_saving},
                                              {"sparsity_that_pays", sparsity_that_pays},
                                              {"naive_reads_everything", naive_reads_everything},
                                              {"fewer_steps", fewer_steps},
                                              {"kv_costs_no_time", kv_costs_no_time},
                                              {"parts_together", parts_together},
                                              {"fits_in_cache", fits_in_cache},
                                              {"below_bandwidth", below_bandwidth},
                                              {"prefill_dominates", prefill_dominates},
                                              {"products_are_minor", products_are_minor},
                                              {"stalled", stalled},
                                              {"longer_load", longer_load},
                                              {"larger_layers", larger_layers}}},
                                            {"Why this much memory",
                                             {{"memory_rose", memory_rose},
                                              {"memory_fell", memory_fell},
                                              {"memory_held", memory_held},
                                              {"kv_committed", kv_committed},
                                              {"larger_tables", larger_tables}}},
                                            {"Why so many tokens",
                                             {{"vocabulary_fits", vocabulary_fits},
                                              {"vocabulary_misfits", vocabulary_misfits},
                                              {"no_vocabulary", no_vocabulary},
                                              {"same_tokens", same_tokens},
                                              {"other_tokens", other_tokens},
                                              {"sampled", sampled}}},
                                            {"At what quality",
                                             {{"quality_fell", quality_fell},
                                              {"quality_held", quality_held},
                                              {"bits_of_vocabulary", bits_of_vocabulary},
                                              {"texts_diverge", texts_diverge}}}};
  return all;
}

}  // namespace trisect::report
