# The CUDA back end in three states, and NVTX ranges wherever the toolkit's headers are.
#   AUTO  built when there is both a compiler and a GPU to run it on: kernels that nothing here can run would only
#         lengthen the build
#   ON    built, with or without a GPU (the presets cuda*)
#   OFF   not built
if(NOT TRISECT_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "TRISECT_CUDA must be AUTO, ON or OFF, not '${TRISECT_CUDA}'")
endif()
set(TRISECT_CCCL_INCLUDE_DIR "" CACHE PATH "Headers of a CCCL newer than the toolkit's, e.g. from PyPI's nvidia-cuda-cccl")
set(TRISECT_CUDA_LAUNCHER "" CACHE STRING "Program put before the command of every CUDA test, e.g. an emulator's")

# Sets TRISECT_CUDA_ENABLED, and a reason where it is off.
set(TRISECT_CUDA_ENABLED OFF)
set(TRISECT_CUDA_SUMMARY "off")
if(NOT TRISECT_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  file(GLOB gpus /proc/driver/nvidia/gpus/* /dev/nvidia[0-9] /dev/dxg)
  if(NOT CMAKE_CUDA_COMPILER AND TRISECT_CUDA STREQUAL "ON")
    message(FATAL_ERROR "TRISECT_CUDA=ON, but nvcc was not found: install the CUDA toolkit, or set CUDACXX")
  elseif(NOT CMAKE_CUDA_COMPILER)
    set(TRISECT_CUDA_SUMMARY "no kernels: nvcc was not found")
  elseif(TRISECT_CUDA STREQUAL "AUTO" AND NOT gpus)
    set(TRISECT_CUDA_SUMMARY "no kernels: no GPU is visible (the preset cuda builds them all the same)")
  else()
    set(TRISECT_CUDA_ENABLED ON)
  endif()
endif()

add_library(trisect_cuda INTERFACE)
if(TRISECT_CUDA_ENABLED)
  if(NOT CMAKE_CUDA_ARCHITECTURES AND gpus)
    set(CMAKE_CUDA_ARCHITECTURES native)
  elseif(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 90)  # machine code, and PTX for what comes later
  endif()
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # an emulator can take its place
  set(CMAKE_CUDA_FLAGS_RELWITHDEBINFO "-O3 -DNDEBUG")
  enable_language(CUDA)
  # Else it names /usr/include to nvcc, before the standard library's directories.
  list(APPEND CMAKE_CUDA_IMPLICIT_INCLUDE_DIRECTORIES ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES})
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake before 3.25.2 does not know that nvcc has C++20
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  find_package(CUDAToolkit REQUIRED)
  target_compile_definitions(trisect_cuda INTERFACE TRISECT_CUDA_BUILD=1)
  # fmt 9 takes nvcc for a compiler without constexpr, and nvcc loses consteval on the way to the host compiler.
  target_compile_definitions(trisect_cuda INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:FMT_USE_CONSTEXPR=1;FMT_CONSTEVAL=>")
  target_link_libraries(trisect_cuda INTERFACE CUDA::cudart)
  if(TRISECT_CCCL_INCLUDE_DIR)  # as the toolkit's own are: no warnings from there, but found before them
    target_compile_options(trisect_cuda INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:-I${TRISECT_CCCL_INCLUDE_DIR}>")
  endif()
  string(REPLACE ";" "," architectures "${CMAKE_CUDA_ARCHITECTURES}")
  set(TRISECT_CUDA_SUMMARY "toolkit ${CUDAToolkit_VERSION}, for ${architectures}")
else()
  target_compile_definitions(trisect_cuda INTERFACE TRISECT_CUDA_BUILD=0)
endif()

add_library(trisect_nvtx INTERFACE)
if(NOT TRISECT_CUDA STREQUAL "OFF")
  find_package(CUDAToolkit QUIET)
  if(CUDAToolkit_FOUND AND EXISTS ${CUDAToolkit_INCLUDE_DIRS}/nvtx3/nvToolsExt.h)
    target_include_directories(trisect_nvtx SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
    target_compile_definitions(trisect_nvtx INTERFACE TRISECT_NVTX)
    target_link_libraries(trisect_nvtx INTERFACE ${CMAKE_DL_LIBS})
  endif()
endif()
