// A run put where everybody can read it, and the README's tables made from it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "reports/generator/results.hpp"

namespace trisect::report {

/// Directories with results in or below `root`, sorted. Throws Error(kEnvironment) when there are none.
std::vector<std::filesystem::path> result_directories(const std::filesystem::path& root);

/// Why these results must not be published, or nothing: built from a tree with uncommitted changes or an
/// unknown revision, of several machines, without optimisation or with sanitizers, interrupted,
/// or with anything that ran on an emulated device.
std::string unpublishable(const Results& results);

/// Copies the results in `run`, without white space and without what Google Benchmark derived from its
/// samples, to <into>/<date>-<cpu>-<revision>/, and writes report.md and its pictures beside them, made from
/// the copies. Returns that directory. Throws Error(kEnvironment) when it exists, or results are
/// unpublishable.
std::filesystem::path publish(const std::filesystem::path& run, const std::filesystem::path& into,
                              const std::string& version);

/// `readme` with the tables between its markers made anew. A line
///   <!-- published:run DIRECTORY HASH -->
/// names the published run, relative to `beside`, and hashes all of its files; `directory`, unless empty,
/// takes the place of the one it names. Between
///   <!-- published:begin NAME -->  and  <!-- published:end NAME -->
/// stands one table: source, larosa, vattention, adaptivocab or together. Throws Error(kEnvironment) for
/// markers that are missing, unpaired or unknown.
std::string updated_readme(const std::string& readme, const std::filesystem::path& beside,
                           const std::string& directory);

/// What differs between a README and what it should be: the names of tables, or "the published files".
std::string readme_drift(const std::string& readme, const std::string& updated);

}  // namespace trisect::report
