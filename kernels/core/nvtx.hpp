// Ranges on the timeline of Nsight Systems, in the domain "trisect"; nothing at all without the NVTX headers.
#pragma once

#ifdef TRISECT_NVTX
#include <nvtx3/nvToolsExt.h>
#endif

namespace trisect {

/// Marks the time from construction to destruction. `name` is copied by the tool.
class NvtxRange {
 public:
#ifdef TRISECT_NVTX
  explicit NvtxRange(const char* name) {
    nvtxEventAttributes_t event{};
    event.version = NVTX_VERSION;
    event.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
    event.messageType = NVTX_MESSAGE_TYPE_ASCII;
    event.message.ascii = name;
    nvtxDomainRangePushEx(domain(), &event);
  }
  ~NvtxRange() { nvtxDomainRangePop(domain()); }
#else
  explicit NvtxRange(const char*) {}
#endif
  NvtxRange(const NvtxRange&) = delete;
  NvtxRange& operator=(const NvtxRange&) = delete;

 private:
#ifdef TRISECT_NVTX
  static nvtxDomainHandle_t domain() {
    static const nvtxDomainHandle_t handle = nvtxDomainCreateA("trisect");
    return handle;
  }
#endif
};

}  // namespace trisect
