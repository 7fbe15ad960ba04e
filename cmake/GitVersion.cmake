# The revision that a result belongs to, written into build_info.hpp at every build (not only at configuration).
execute_process(COMMAND git describe --always --dirty WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                OUTPUT_VARIABLE TRISECT_GIT_DESCRIBE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT TRISECT_GIT_DESCRIBE)
  set(TRISECT_GIT_DESCRIBE "unknown")
endif()

string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type_upper)
string(STRIP "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type_upper}}" TRISECT_CXX_FLAGS)
set(build_info ${CMAKE_BINARY_DIR}/generated/build_info.hpp)
add_custom_target(trisect_build_info_header
  COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DOUTPUT=${build_info} -DVERSION=${PROJECT_VERSION}
          "-DCOMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" "-DFLAGS=${TRISECT_CXX_FLAGS}"
          -DBUILD_TYPE=${CMAKE_BUILD_TYPE} "-DSANITIZE=${TRISECT_SANITIZE}"
          -P ${CMAKE_SOURCE_DIR}/cmake/WriteBuildInfo.cmake
  BYPRODUCTS ${build_info} VERBATIM)
add_library(trisect_build_info INTERFACE)
target_include_directories(trisect_build_info INTERFACE ${CMAKE_BINARY_DIR}/generated)
add_dependencies(trisect_build_info trisect_build_info_header)
