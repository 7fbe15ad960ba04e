#!/usr/bin/env bash
# Installs what Trisect needs on Debian and Ubuntu; does nothing when all of it is there.
set -euo pipefail

# Debian's libdnnl-dev has OpenCL in its CMake files but not among its dependencies.
packages=(g++ cmake ninja-build git libdnnl-dev ocl-icd-opencl-dev libhwy-dev libfmt-dev libcli11-dev libeigen3-dev
          nlohmann-json3-dev libbenchmark-dev libgtest-dev libgmock-dev gnuplot-nox)

if ! command -v dpkg-query >/dev/null; then
  echo "setup: this is no Debian or Ubuntu system; install by hand: ${packages[*]}" >&2
  exit 3
fi

missing=()
for package in "${packages[@]}"; do
  if [[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]]; then
    missing+=("$package")
  fi
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $EUID -eq 0 ]]; then
  sudo=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  sudo=(sudo)
else
  echo "setup: packages are missing; run: sudo apt-get update && sudo apt-get install -y ${missing[*]}" >&2
  exit 3
fi

echo "setup: installing ${missing[*]}" >&2
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
