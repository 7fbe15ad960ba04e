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
target_compile_options(trisect_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                                 -Wno-sign-conversion -Wnon-virtual-dtor)
if(TRISECT_WERROR)
  target_compile_options(trisect_options INTERFACE -Werror)
endif()
if(TRISECT_SANITIZE)
  target_compile_options(trisect_options INTERFACE -fsanitize=${TRISECT_SANITIZE} -fno-sanitize-recover=all
                                                   -fno-omit-frame-pointer)
  target_link_options(trisect_options INTERFACE -fsanitize=${TRISECT_SANITIZE})
endif()
