# Run at build time by the target of GitVersion.cmake; rewrites the header only when it changes.
function(git result)
  execute_process(COMMAND git ${ARGN} WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE out
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${result} "${out}" PARENT_SCOPE)
endfunction()

git(hash rev-parse HEAD)
if(NOT hash)
  set(hash "unknown")
endif()
git(changes status --porcelain --untracked-files=no)
if(changes)
  set(dirty true)
else()
  set(dirty false)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#pragma once
namespace trisect::build_info {
inline constexpr char kVersion[] = "@VERSION@";
inline constexpr char kGitHash[] = "@hash@";
inline constexpr bool kGitDirty = @dirty@;
inline constexpr char kCompiler[] = "@COMPILER@";
inline constexpr char kFlags[] = "@FLAGS@";
inline constexpr char kBuildType[] = "@BUILD_TYPE@";
inline constexpr char kSanitizers[] = "@SANITIZE@";
}  // namespace trisect::build_info
]])
