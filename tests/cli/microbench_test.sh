#!/usr/bin/env bash
# The command line of microbench, and what a run leaves behind. Usage: microbench_test.sh BIN_DIR SOURCE_DIR
set -u
bin=$1
source=$2
export OMP_WAIT_POLICY=passive
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# expect CODE WHAT COMMAND...: the exit code; standard output and error are left in out and err.
expect() {
  local code=$1 what=$2
  shift 2
  "$@" >out 2>err </dev/null
  local got=$?
  [ $got -eq "$code" ] && return
  fail "$what: exit code $got, should be $code"
  sed 's/^/    /' err
}

# complains TEXT: the complaint is one line and contains the text.
complains() {
  [ "$(wc -l <err)" -eq 1 ] || fail "complaint of $(wc -l <err) lines: $(cat err)"
  grep -qF -- "$1" err || fail "'$1' is missing from: $(cat err)"
}

cat >toy.json <<'JSON'
{"toy/product": [{"n": [33, 100], "sparsity_permille": 0, "dtype": "f32"}]}
JSON
toy=("$bin/toy_microbench" --shapes=toy.json)
real=("$bin/microbench" --shapes=smoke)

expect 0 "help" "$bin/microbench" --help
for text in --shapes --out --device --threads --benchmark_filter 'Exit codes'; do
  grep -qF -- "$text" out || fail "--help does not mention $text"
done
expect 0 "version" "$bin/microbench" --version
grep -q 'Trisect' out || fail "--version names no version"

expect 0 "list" "${real[@]}" --benchmark_list_tests
grep -q '^larosa/topk/cpu_bisect/rows:1/n:101/sparsity_permille:400/iterations:[0-9]*/repeats:9/manual_time$' out ||
  fail "unexpected names: $(head -3 out)"
cp out names
expect 0 "list again" "${real[@]}" --benchmark_list_tests=true
cmp -s out names || fail "names change between runs"
expect 0 "filtered list" "${real[@]}" --benchmark_list_tests --benchmark_filter=larosa/topk
grep -vq '^larosa/topk/' out && fail "the list ignores the filter"
expect 0 "default shapes" "$bin/microbench" --benchmark_list_tests --benchmark_filter=larosa
for name in larosa/layer/online/bf16/in:2560/out:17920/is_rotated:1/sparsity_permille:400 \
            larosa/layer/naive/bf16/in:12800/out:2560/is_rotated:0/sparsity_permille:750; do
  grep -q "^$name/" out || fail "phi-2's shapes lack $name"
done

expect 2 "filter that matches nothing" "${real[@]}" --benchmark_filter=nothing_like_it
complains nothing_like_it
expect 2 "filter in capitals" "${real[@]}" --benchmark_filter=LaRoSA
expect 2 "filter that is no expression" "${real[@]}" '--benchmark_filter=('
complains 'regular expression'
expect 2 "unknown flag" "${real[@]}" --bogus
complains bogus
expect 2 "unknown library flag" "${real[@]}" --benchmark_bogus=1
complains benchmark_bogus
expect 2 "impossible library value" "${real[@]}" --benchmark_format=nonsense
expect 2 "positional" "${real[@]}" larosa
expect 2 "device" "${real[@]}" --device=tpu
complains tpu
expect 3 "no CUDA" "${real[@]}" --device=cuda
complains 'no CUDA'
expect 2 "too many threads" "${real[@]}" --threads=100000
complains threads
expect 2 "unknown shapes" "$bin/microbench" --shapes=phi3
complains phi3
echo '{"larosa/topk": [{"rows": 1, "n": "many", "sparsity_permille": 0}]}' >bad.json
expect 3 "malformed shapes" "$bin/microbench" --shapes=bad.json
complains '"n"'
echo '{"toy/product": [{"n": 666, "sparsity_permille": 0, "dtype": "f32"}]}' >666.json
expect 2 "a problem the op refuses" "$bin/toy_microbench" --shapes=666.json --benchmark_filter=good
grep -q 'n is 666' err || fail "no reason: $(cat err)"

expect 0 "good run" "${toy[@]}" '--benchmark_filter=good|ref|unavailable' --out=a/b --benchmark_out=copy.json
"$bin/json_check" a/b/benchmark.json || fail "benchmark.json is not JSON"
cmp -s <(grep -v date a/b/benchmark.json) <(grep -v date copy.json) || fail "--benchmark_out differs from benchmark.json"
"$bin/json_check" a/b/manifest.json /schema '"trisect/microbench"' /interrupted false /rows/0/status '"pass"' \
  /rows/2/status '"good"' >/dev/null 2>&1 && fail "json_check lets everything pass"
"$bin/json_check" a/b/manifest.json /schema '"trisect/microbench"' /schema_version 1 /interrupted false \
  /shapes/name '"toy.json"' /rows/0/status '"pass"' /rows/1/status '"skipped"' \
  /rows/1/reason '"the machine has no flux capacitor"' /rows/2/check/status '"pass"' || fail "manifest"
grep -q 'skipped toy/product/unavailable.*flux capacitor' err || fail "nothing said of what was skipped"
expect 0 "JSON on standard output" "${toy[@]}" --benchmark_filter=good --benchmark_format=json --benchmark_repetitions=2
"$bin/json_check" out /benchmarks/1/repetitions 2 || fail "--benchmark_format=json is not JSON"

expect 1 "wrong variants" "${toy[@]}" '--benchmark_filter=/(wrong|nan|alters_input|breaks_guard|throws|good)/' --out=wrong
"$bin/json_check" wrong/benchmark.json || fail "not JSON after failures"
"$bin/json_check" wrong/manifest.json /rows/0/status '"fail"' /rows/1/status '"fail"' /rows/4/status '"error"' \
  /rows/5/status '"pass"' || fail "statuses"
grep -qi 'nan' wrong/benchmark.json && grep -q ': *-\?nan' wrong/benchmark.json && fail "NaN in JSON"

# Nothing is measured when it could not be written.
touch plain
for out in plain plain/below /proc/nowhere /dev/full; do
  expect 3 "--out=$out" "${toy[@]}" --benchmark_filter=good --out=$out
  complains "$out"
done
if [ -e /dev/full ]; then
  expect 3 "full disk" "${toy[@]}" --benchmark_filter=good --benchmark_out=/dev/full
  complains '/dev/full: No space left'
fi

# wait_for_groups DIR N: until the manifest tells of N groups.
wait_for_groups() {
  for _ in $(seq 600); do
    groups=$(grep -cs probe_before_gbps "$1/manifest.json")
    [ "${groups:-0}" -ge "$2" ] && return
    sleep 0.1
  done
  fail "$1: still no $2 groups after a minute"
}

cat >slow.json <<'JSON'
{"toy/product": [{"n": [33], "sparsity_permille": 0, "dtype": "f32"},
                 {"n": [1000000, 999999, 999998, 999997, 999996], "sparsity_permille": 0, "dtype": "f32"}]}
JSON
slow=("$bin/toy_microbench" --shapes=slow.json "--benchmark_filter=good|slow/f32/n:9")
for signal in INT TERM; do
  "${slow[@]}" --out=$signal >out 2>err &
  wait_for_groups $signal 2  # a group is announced before it is timed
  kill -$signal $!
  wait $!
  code=$?
  [ $code -eq 130 ] || fail "SIG$signal: exit code $code, should be 130"
  "$bin/json_check" $signal/benchmark.json || fail "SIG$signal leaves no JSON"
  "$bin/json_check" $signal/manifest.json /interrupted true /rows/0/status '"pass"' || fail "SIG$signal: manifest"
done

# What is there to be read after any death.
readable() {
  "$bin/report" --input "$1" --output "$1/report.md" >report_out 2>report_err || fail "$2: $(cat report_err)"
}
readable INT "report after SIGINT"
grep -q 'interrupted' INT/report.md || fail "the report does not say that the run was interrupted"

# In the middle of a benchmark, after some of its repetitions.
"$bin/toy_microbench" --shapes=slow.json --benchmark_filter=slow/f32/n:999999 --out=middle >out 2>err &
wait_for_groups middle 0
sleep 2
kill -INT $!
wait $!
code=$?
[ $code -eq 130 ] || fail "interrupted between repetitions: exit code $code, should be 130; $(cat err)"
"$bin/json_check" middle/manifest.json /interrupted true || fail "manifest of the middle"

# SIGKILL in the middle of a group: its samples so far are there, and the manifest says that more was to come.
"$bin/toy_microbench" --shapes=slow.json --benchmark_filter=slow/f32/n:999999 --out=killed >out 2>err &
for _ in $(seq 600); do
  told=$(grep -cs '"run_type": "iteration"' killed/benchmark.json)
  [ "${told:-0}" -ge 2 ] && break
  sleep 0.05
done
kill -KILL $!
wait $! 2>/dev/null
"$bin/json_check" killed/benchmark.json /benchmarks/1/repetition_index 1 || fail "SIGKILL leaves no samples"
"$bin/json_check" killed/manifest.json /interrupted true /rows/0/status '"pass"' || fail "SIGKILL: manifest"
readable killed "report after SIGKILL"
grep -q '| pass' killed/report.md || fail "the report has nothing of what was measured before SIGKILL"

# SIGKILL at any moment.
cat >quick.json <<'JSON'
{"toy/product": [{"n": [33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44], "sparsity_permille": 0, "dtype": "f32"}]}
JSON
for delay in 05 10 15 20 25 30 35 40 50 60; do
  "$bin/toy_microbench" --shapes=quick.json "--benchmark_filter=/(good|tires|wrong)/" --out=moment$delay >out 2>err &
  sleep 0.$delay
  kill -KILL $! 2>/dev/null
  wait $! 2>/dev/null
  [ -e moment$delay/benchmark.json ] || continue
  "$bin/json_check" moment$delay/benchmark.json || fail "SIGKILL after 0.$delay s leaves no JSON"
  readable moment$delay "report after SIGKILL after 0.$delay s"
done

# Statuses on the console, and nothing that was only skipped is a success.
expect 1 "statuses" "${toy[@]}" '--benchmark_filter=/(wrong|good|unavailable|throws)/.*n:33/'
grep -q '^4 rows: 1 pass, 1 fail, 1 skipped, 1 error$' err || fail "no account of statuses: $(tail -1 err)"
grep -q '^fail toy/product/wrong.*check failed' err || fail "no reason for the failure"
cat >zeros.json <<'JSON'
{"toy/product": [{"n": 100, "sparsity_permille": 950, "dtype": "f32"}]}
JSON
expect 0 "mistrusted" "$bin/toy_microbench" --shapes=zeros.json --benchmark_filter=good --out=zeros
grep -q '^1 rows: 1 mistrusted$' err || fail "no account of what is mistrusted: $(tail -1 err)"
"$bin/json_check" zeros/manifest.json /rows/0/status '"mistrusted"' || fail "mistrusted in the manifest"
readable zeros "report of a mistrusted row"
grep -q 'MISTRUSTED: 95 of 100' zeros/report.md || fail "mistrusted in the report"
expect 3 "only skipped" "${toy[@]}" --benchmark_filter=unavailable
grep -q 'every selected row was skipped' err || fail "no reason: $(cat err)"

# Two builds in turns.
turns=("$source/scripts/compare_builds.sh" "$bin/toy_microbench" "$bin/toy_microbench")
expect 0 "in turns" "${turns[@]}" pair --shapes=toy.json --benchmark_filter=/good/ --repetition-ms=1
"$bin/json_check" pair/base/manifest.json /interrupted false || fail "the base of a pair"
"$bin/json_check" pair/new/manifest.json /interrupted false || fail "the new run of a pair"
grep -q "$(grep '"pair"' pair/base/manifest.json)" pair/new/manifest.json || fail "the two do not know each other"
expect 0 "compare" "$bin/report" --compare pair/base pair/new --output pair/comparison.md --fail-on-regression
grep -q '^toy: \(same\|ambiguous\), ' out || fail "a build differs from itself: $(cat out)"
grep -q 'took turns' pair/comparison.md || fail "the comparison does not know that the runs took turns"
expect 1 "a wrong row in turns" "${turns[@]}" wrongs --shapes=toy.json '--benchmark_filter=/(good|wrong)/' --repetition-ms=1
expect 3 "turns without a driver" "${toy[@]}" --turns=nowhere/a
complains 'nowhere/a.grant'

# Google Benchmark's own comparison, where Debian's libbenchmark-tools and scipy are.
compare_py=/usr/share/benchmark/compare.py
if [ -e $compare_py ] && python3 -c 'import scipy' 2>/dev/null; then
  expect 0 "compare.py" python3 $compare_py benchmarks pair/base/benchmark.json pair/new/benchmark.json
  grep -q 'toy/product/good.*_pvalue' out || fail "compare.py pairs nothing: $(cat out)"
else
  echo "not tested: $compare_py or scipy is not installed"
fi

expect 0 "every real op" "${real[@]}" --benchmark_repetitions=2 --out=real
"$bin/json_check" real/benchmark.json || fail "not JSON"
"$bin/json_check" real/manifest.json /interrupted false || fail "manifest"

[ $failures -eq 0 ] && echo "all passed"
exit $((failures > 0))
