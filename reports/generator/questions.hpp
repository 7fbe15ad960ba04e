// What a reader came to ask, answered by rules from the figures of the run, each question only where its
// figures are there.
#pragma once

#include <string>
#include <vector>

#include "reports/generator/layers.hpp"
#include "reports/generator/results.hpp"

namespace trisect::report {

/// Does LaRoSA pay here, from which sparsity, at what quality.
std::string answer_larosa(const Results& results, const std::vector<Layer>& layers);
/// How good the dense products are that it is compared with, beside those with layouts of their own.
std::string answer_dense(const Results& results);
/// What would bound it on an H100: a model from bytes, the data sheet's bandwidth and launches, in columns of
/// its own.
std::string answer_h100(const Results& results, const std::vector<Layer>& layers);
/// What vAttention saves against each cache, and costs in time.
std::string answer_vattention(const Results& results);
/// What AdaptiVocab saves, and at what quality.
std::string answer_adaptivocab(const Results& results);
/// What they bring together.
std::string answer_together(const Results& results);
/// Why a first implementation, which rotates but reads every weight, is not faster.
std::string answer_why_not_faster(const std::vector<Layer>& layers);
/// Why it uses more memory: books alone free nothing, and rotations are weights.
std::string answer_why_more_memory(const Results& results, const std::vector<Layer>& layers);
/// Why it may generate more tokens: an unchanged vocabulary saves none, and lengths vary with the seed.
std::string answer_why_more_tokens(const Results& results);

/// "## Questions" with every answer that there is; nothing without any.
std::string questions_section(const Results& results, const std::vector<Layer>& layers);

}  // namespace trisect::report
