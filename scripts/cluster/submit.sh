#!/usr/bin/env bash
# submit.sh [OPTION...] [-- COMMAND...]: measures on the nodes of a SLURM cluster, and compares the machines.
#   --nodes A,B,...    the nodes, by name, each on its own (default: every node of the partition, from sinfo)
#   --devices cpu,cuda what is measured on each (default: cpu)
#   --partition NAME   SLURM's partition
#   --time LIMIT       of one task, as sbatch takes it (default 1:00:00)
#   --out DIRECTORY    on a file system that all nodes see (default reports/out/cluster-<date>)
#   --dry-run          prints what would be submitted, and submits nothing
# COMMAND is what a task runs, with {out} and {device} replaced (default: ./scripts/run.sh {out}).
#
# A node gets one array of tasks, one for each device kind, alone on the node and one after the other, so that nothing
# disturbs what is timed. A last job writes DIRECTORY/report.md over all that was measured, a machine a row.
# Exit codes: 0 submitted, 2 usage, 3 no SLURM, no nodes, or a submission that was refused.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

usage() { echo "submit: $*; see the head of scripts/cluster/submit.sh" >&2; exit 2; }
need() { [[ $# -ge 2 && -n $2 ]] || usage "$1 takes a value"; }

nodes='' devices=cpu partition='' limit=1:00:00 out='' dry_run=''
while [[ $# -gt 0 ]]; do
  case $1 in
    --nodes) need "$@"; nodes=$2; shift ;;
    --devices) need "$@"; devices=$2; shift ;;
    --partition) need "$@"; partition=$2; shift ;;
    --time) need "$@"; limit=$2; shift ;;
    --out) need "$@"; out=$2; shift ;;
    --dry-run) dry_run=1 ;;
    --) shift; break ;;
    *) usage "unknown argument '$1'" ;;
  esac
  shift
done
command=("$@")
[[ ${#command[@]} -gt 0 ]] || command=(./scripts/run.sh '{out}')
IFS=, read -ra kinds <<<"$devices"
for kind in "${kinds[@]}"; do
  [[ $kind == cpu || $kind == cuda ]] || usage "--devices knows cpu and cuda, not '$kind'"
done
out=${out:-reports/out/cluster-$(date -u +%Y%m%d-%H%M%S)}
[[ $out == /* ]] || out=$root/$out

if [[ -z $dry_run ]] && ! command -v sbatch >/dev/null; then
  echo "submit: sbatch was not found: run this where SLURM's commands are, or use --dry-run" >&2
  exit 3
fi
if [[ -z $nodes ]]; then
  command -v sinfo >/dev/null || { echo "submit: sinfo was not found: name the nodes with --nodes" >&2; exit 3; }
  nodes=$(sinfo --Node --noheader --format=%N ${partition:+--partition="$partition"} | sort -u | paste -sd,) || exit 3
  [[ -n $nodes ]] || { echo "submit: the partition has no nodes: name them with --nodes" >&2; exit 3; }
fi
IFS=, read -ra names <<<"$nodes"

submit() {  # ARGUMENT...: the number of the job
  if [[ -n $dry_run ]]; then
    printf 'sbatch' >&3
    printf ' %q' "$@" >&3
    printf '\n' >&3
    echo JOB
  else
    sbatch --parsable "$@" || { echo "submit: sbatch refused the job" >&2; return 3; }
  fi
}

exec 3>&1
jobs=()
[[ -n $dry_run ]] || mkdir -p "$out/logs"
for name in "${names[@]}"; do
  job=$(submit --job-name="trisect-$name" --chdir="$root" --nodelist="$name" --nodes=1 --exclusive \
    --array="0-$((${#kinds[@]} - 1))%1" --time="$limit" ${partition:+--partition="$partition"} \
    --output="$out/logs/$name-%a.log" scripts/cluster/task.sh "$out" "$devices" "${command[@]}") || exit $?
  [[ $job == JOB ]] && job=JOB$((${#jobs[@]} + 1))
  jobs+=("${job%%;*}")
done
after=$(IFS=:; echo "${jobs[*]}")
submit --job-name=trisect-report --chdir="$root" --nodes=1 --time=0:10:00 ${partition:+--partition="$partition"} \
  --dependency="afterany:$after" --output="$out/logs/report.log" scripts/cluster/report.sh "$out" >/dev/null || exit $?
echo "${#jobs[@]} nodes, ${#kinds[@]} tasks each; the report will be $out/report.md, logs are in $out/logs"
