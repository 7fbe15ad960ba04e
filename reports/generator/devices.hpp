// Devices that bounds are modelled for. Nothing measured is ever divided by these figures.
#pragma once

namespace trisect::report {

struct NamedDevice {
  const char* name;
  double gbps;  ///< memory bandwidth that NVIDIA's data sheet states
};
inline constexpr NamedDevice kA100 = {"A100 80GB SXM", 2039}, kH100 = {"H100 SXM", 3350},
                             kRtx4090 = {"RTX 4090", 1008};

/// Of a launch inside a captured graph: an assumption.
inline constexpr double kLaunchSeconds = 2e-6;

}  // namespace trisect::report
