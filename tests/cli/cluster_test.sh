#!/usr/bin/env bash
# cluster_test.sh SOURCE: what scripts/cluster would submit, and what a task of it does. No SLURM is needed.
set -euo pipefail
source=$1
fail() { echo "cluster_test: $*" >&2; exit 1; }
submit() { "$source/scripts/cluster/submit.sh" "$@"; }
code_of() { local code=0; "$@" >/dev/null 2>&1 || code=$?; echo $code; }

printed=$(submit --dry-run --nodes a,b --devices cpu,cuda --partition p --time 0:30:00 --out /shared/x)
[[ $(grep -c '^sbatch' <<<"$printed") -eq 3 ]] || fail "two nodes and a report make three jobs: $printed"
for node in a b; do
  line=$(grep -- "--nodelist=$node " <<<"$printed") || fail "no job for $node: $printed"
  for part in --exclusive --array=0-1%1 --partition=p --time=0:30:00 "task.sh /shared/x cpu\\,cuda ./scripts/run.sh"; do
    [[ ${line//\\%/%} == *"$part"* ]] || fail "$node: no $part in: $line"
  done
done
[[ $(tail -2 <<<"$printed" | head -1) == *--dependency=afterany:JOB1:JOB2*report.sh*/shared/x ]] || fail "report: $printed"
[[ $(submit --dry-run --nodes a --out /x | grep -c -- '--array=0-0%1\|--array=0-0\\%1') -eq 1 ]] || fail "one device, one task"
[[ $(submit --dry-run --nodes a --out /x -- echo '{device}' '{out}') == *"cpu echo "* ]] || fail "another command"
for wrong in '--devices gpu' '--nodes' '--unknown' 'x'; do
  [[ $(code_of submit --dry-run $wrong) -eq 2 ]] || fail "'$wrong' is no usage error"
done
[[ $(PATH=/usr/bin:/bin code_of env PATH=/nowhere /bin/bash "$source/scripts/cluster/submit.sh" --nodes a) -ne 0 ]] || fail "no SLURM, no submission"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
task() { SLURM_ARRAY_TASK_ID=$1 SLURMD_NODENAME=n bash "$source/scripts/cluster/task.sh" "$work/t" cpu,cuda "${@:2}"; }
task 1 bash -c 'echo $TRISECT_DEVICE $TRISECT_BUILT {device} >{out}/said' 2>/dev/null
[[ $(cat "$work/t/n-cuda/said") == "cuda 1 cuda" ]] || fail "a task: $(cat "$work/t/n-cuda/said")"
[[ $(code_of task 0 false) -eq 1 ]] || fail "a command that fails, fails the task"
