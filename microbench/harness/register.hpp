// From lists of ops to groups of benchmarks.
#pragma once

#include <tuple>

#include "microbench/harness/op_group.hpp"
#include "microbench/harness/shapes.hpp"

namespace trisect::microbench {

/// One group for each problem that the shapes file lists for the op.
template <OpContract Op>
void register_benchmarks(Shapes& shapes, const Repetitions& repetitions, Groups& groups) {
  for (const auto& problem : shapes.problems<Op>()) {
    try {
      groups.push_back(std::make_unique<OpGroup<Op>>(problem, repetitions));
    } catch (const Error& error) {
      environment_error("{}: {}: {}", shapes.path().string(), Op::name, error.what());
    }
  }
}

/// Of every op of a tuple; also refuses ops that the file names and the tuple lacks.
template <class Ops>
Groups make_groups(Shapes& shapes, const Repetitions& repetitions) {
  Groups groups;
  [&]<class... Op>(std::tuple<Op...>*) {
    (register_benchmarks<Op>(shapes, repetitions, groups), ...);
  }(static_cast<Ops*>(nullptr));
  shapes.require_all_known();
  return groups;
}

}  // namespace trisect::microbench
