# Sourced by profile_*.sh: what they share. Expects `tool` and `package`; sets print, filter, bin and out.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
print=no
if [[ ${1:-} == --print ]]; then
  print=yes
  shift
fi
if [[ $# -gt 1 || ${1:-} == -* ]]; then
  echo "usage: $(basename "$0") [--print] [FILTER]" >&2
  exit 2
fi
filter=${1:-larosa/layer}
bin=build/cuda-debug/bin/microbench
out=profiles/${filter//[^A-Za-z0-9]/_}

# profile COMMAND...: shows it, or builds and runs it. The build has source lines in the machine code.
profile() {
  if [[ $print == yes ]]; then
    printf '%q ' "$@"
    echo
    return
  fi
  if ! command -v "$tool" >/dev/null; then
    echo "$(basename "$0"): $tool was not found: install $package, or put its directory into PATH" >&2
    exit 3
  fi
  if ! compgen -G '/dev/nvidia[0-9]' >/dev/null; then
    echo "$(basename "$0"): no GPU is visible, and an emulated one has no timeline" >&2
    exit 3
  fi
  ./scripts/build.sh cuda-debug --target microbench
  mkdir -p profiles
  "$@"
}
