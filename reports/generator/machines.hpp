// Results of several machines: told apart, reported one by one, and put beside each other by device.
#pragma once

#include <string>
#include <vector>

#include "reports/generator/results.hpp"

namespace trisect::report {

/// One machine and everything that was measured on it.
struct Machine {
  std::string name;  ///< "node1: AMD EPYC, 2 processors", with its GPU where it has one; no two are alike
  Results results;   ///< of this machine alone, complete in itself
};

/// Inputs are of one machine when host, processor, processor count, memory and GPU are the same, as far as
/// the files say them. In the order in which they occur.
std::vector<Machine> machines_of(const Results& results);

/// What tells the machine of an input from others.
std::string machine_key(const Origin& origin);

/// A run said to be on a device that its machine does not have: on an emulated one. Its times mean nothing.
bool on_absent_device(const Origin& origin, const std::string& device);

/// The page over the machines' own reports: a row for each, then for each kind of device a table of
/// headline figures with a row for each machine. Times of emulated devices are nowhere. `reports` are the
/// machines' reports, relative to the page.
std::string machines_page(const std::vector<Machine>& machines, const std::vector<std::string>& reports,
                          const std::string& version);

}  // namespace trisect::report
