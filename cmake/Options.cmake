# Language level, warnings, sanitizers and where programs go: what every target shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
# Reports quote the flags, so they are fixed here and not left to the platform's defaults.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

add_library(trisect_options INTERFACE)
target_include_directories(trisect_options INTERFACE ${CMAKE_SOURCE_DIR})
# What nvcc makes of a kernel for the host compiler is not written to please -Wpedantic or -Wconversion.
set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor)
set(cuda_warnings -Xcompiler=-Wall,-Wextra,-Wno-parentheses)
if(TRISECT_WERROR)
  list(APPEND warnings -Werror)
  list(APPEND cuda_warnings --Werror=all-warnings)
endif()
target_compile_options(trisect_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${warnings}>"
                                                 "$<$<COMPILE_LANGUAGE:CUDA>:${cuda_warnings}>")
if(TRISECT_SANITIZE)
  target_compile_options(trisect_options INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${TRISECT_SANITIZE};-fno-sanitize-recover=all;-fno-omit-frame-pointer>")
  target_link_options(trisect_options INTERFACE -fsanitize=${TRISECT_SANITIZE})
endif()
