#!/usr/bin/env bash
# local.sh start|stop DIRECTORY: a SLURM cluster of this machine alone, for trying submit.sh. Needs root and Debian's
# slurm-wlm and munge. Everything of it is in DIRECTORY; use it with SLURM_CONF=DIRECTORY/slurm.conf.
# Exit codes: 0 it answers (or is stopped), 2 usage, 3 something is missing or does not start.
set -euo pipefail
[[ $# -eq 2 && $1 =~ ^(start|stop)$ ]] || { echo "local: usage: local.sh start|stop DIRECTORY" >&2; exit 2; }
mkdir -p "$2"
directory=$(cd "$2" && pwd)

stop() {
  local daemon
  for daemon in slurmd slurmctld munged; do
    if [[ -s $directory/$daemon.pid ]]; then kill "$(cat "$directory/$daemon.pid")" 2>/dev/null || true; fi
  done
}
if [[ $1 == stop ]]; then stop; exit 0; fi

for program in munged slurmctld slurmd sbatch; do
  command -v $program >/dev/null || { echo "local: $program was not found: apt-get install slurm-wlm munge" >&2; exit 3; }
done
[[ $EUID -eq 0 ]] || { echo "local: its daemons run as root" >&2; exit 3; }

mkdir -p "$directory/state" "$directory/spool"
(umask 077 && head -c 1024 /dev/urandom >"$directory/munge.key")
port=$((20000 + RANDOM % 10000))
# No cgroups: a container has none to give.
cat >"$directory/slurm.conf" <<CONF
ClusterName=trisect
SlurmctldHost=localhost
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$directory/munge.socket
CredType=cred/munge
StateSaveLocation=$directory/state
SlurmdSpoolDir=$directory/spool
SlurmctldPidFile=$directory/slurmctld.pid
SlurmdPidFile=$directory/slurmd.pid
SlurmctldLogFile=$directory/slurmctld.log
SlurmdLogFile=$directory/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
NodeName=localhost CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$directory/slurm.conf
munged --force --key-file="$directory/munge.key" --socket="$directory/munge.socket" --pid-file="$directory/munged.pid" \
  --log-file="$directory/munged.log" --seed-file="$directory/munged.seed" 2>/dev/null &&
  slurmctld && slurmd -N localhost || { echo "local: a daemon did not start; its log is in $directory" >&2; stop; exit 3; }
for _ in $(seq 50); do
  [[ $(sinfo --noheader --format=%t 2>/dev/null) == idle ]] && exit 0
  sleep 0.2
done
echo "local: the node did not come up; its log is in $directory" >&2
stop
exit 3
