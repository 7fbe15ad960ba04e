#!/usr/bin/env bash
# task.sh OUT DEVICES COMMAND...: one task of an array that submit.sh made: measures one kind of device of this node,
# into OUT/<node>-<device>. {out} and {device} in COMMAND are replaced by that directory and the kind.
set -euo pipefail
out=$1
IFS=, read -ra kinds <<<"$2"
device=${kinds[${SLURM_ARRAY_TASK_ID:?task.sh is run by SLURM, from submit.sh}]}
directory=$out/${SLURMD_NODENAME:-$(hostname)}-$device
mkdir -p "$directory"

arguments=()
for argument in "${@:3}"; do
  argument=${argument//'{out}'/$directory}
  arguments+=("${argument//'{device}'/$device}")
done
echo "$directory: ${arguments[*]}" >&2
# One build serves all nodes: instruction sets are chosen when a program runs.
TRISECT_DEVICE=$device TRISECT_BUILT=1 "${arguments[@]}"
