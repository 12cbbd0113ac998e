#!/usr/bin/env bash
# Runs scripts/check-gpu without a device, with programs that print what the real ones of the same
# names would.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/bin" "$folder/build"
faults=0

program() { # NAME; its text comes on stdin
  { echo '#!/usr/bin/env bash' && cat; } >"$folder/$1"
  chmod +x "$folder/$1"
}

# run STATUS TEXT [arguments]: expects that check-gpu ends with this status and that its last line
# contains the text.
run() {
  local wanted=$1 text=$2 status last
  shift 2
  PATH="$folder/bin:$PATH" scripts/check-gpu --out "$folder/out" "$@" >/dev/null 2>"$folder/errors"
  status=$?
  last=$(tail -n 1 "$folder/errors")
  [ "$status" = "$wanted" ] && [[ $last == *"$text"* ]] && return
  echo "expected status $wanted and '$text', got $status and '$last'"
  faults=$((faults + 1))
}

expect() { # TEXT FILE: expects that the file contains the text
  grep -qF -- "$1" "$2" && return
  echo "expected '$1' in $(basename "$2"):"
  cat "$2"
  faults=$((faults + 1))
}

program bin/nvidia-smi <<<'exit 9'
if ! compgen -G '/dev/nvidia[0-9]*' >/dev/null; then
  run 2 "there is no NVIDIA device here" "$folder/build"
  [ "$(wc -l <"$folder/errors")" = 1 ] || { echo "expected one line"; faults=$((faults + 1)); }
fi

program bin/nvidia-smi <<'END'
case "$1" in
  -L) echo 'GPU 0: A Device' ;;
  *=name) echo 'A Device' ;;
  *=driver_version) echo 580.1 ;;
  *) echo '81559 MiB' ;;
esac
END
program bin/python3 <<<'echo "ModuleNotFoundError: No module named galore_torch" >&2; exit 1'
run 2 "holds no built galore and kernels_test" "$folder/build"
run 2 "unknown argument '--fast'" --fast

# The first size runs, the second does not fit, the third fails, and the last one hangs until the
# check's time is over.
program build/galore <<'END'
case "$*" in
  *60m*) echo '{"tokens_per_second":1000.5,"step_seconds":2.0,"optimizer_seconds":0.25,"refresh_seconds":20,"peak_share":0.5,"planned_bytes":1073741824,"peak_memory_bytes":2147483648,"per_device_train_batch_size":16,"gradient_accumulation_steps":2}' ;;
  *130m*) echo 'galore: [memory] expected at most 1.00 GiB' >&2; exit 1 ;;
  *350m*) echo 'a broken kernel' >&2; exit 1 ;;
  *1b*) exec sleep 60 ;;
esac
END
program build/kernels_test <<'END'
case "$*" in
  *list*) printf 'OnCuda.\n  One\n' ;;
  *) printf '[  PASSED  ] 7 tests.\n[  SKIPPED ] 1 test, listed below:\n' ;;
esac
END
program build/data_test <<<''

program bin/ldd <<<'echo "	libfmt.so.9 => not found"'
run 2 "these shared libraries are missing: libfmt.so.9; run 'scripts/check-gpu --pack'" "$folder/build"
program bin/ldd <<<'exit 1'

CHECK_GPU_SECONDS=6 run 1 "failed: bench 350m adamw_torch bench 350m galore_adamw bench 350m galore_adamw_8bit bench 1b" "$folder/build"
page=$(echo "$folder"/out/*-gpu.md)
expect "A Device, 81559 MiB, driver 580.1" "$page"
expect "| kernels_test | 7 | 0 | 1 |  |" "$page"
expect "| 60m | galore_adamw_8bit | 16 x 2 | 1000 | 953 | 50 % | 2000.0 | 250.0 | 20.00 | 1.00 | 2.00 |" "$page"
expect "| 130m | adamw_torch | status 1: galore: [memory] expected at most 1.00 GiB |" "$page"
expect "| 350m | adamw_torch | status 1: a broken kernel |" "$page"
expect "| 1b | adamw_torch | stopped by its time limit |" "$page"
expect "Not run: ModuleNotFoundError: No module named galore_torch." "$page"
expect '{"bench":"60m","optim":"adamw_torch","tokens_per_second":1000.5' "${page%.md}.jsonl"
grep -qF data_test "$page" && { echo "data_test has no CUDA tests"; faults=$((faults + 1)); }
python3 -c 'import json, sys; [json.loads(line) for line in open(sys.argv[1])]' "${page%.md}.jsonl" || faults=$((faults + 1))

program build/galore <<<'echo "undefined symbol: at_empty" >&2; exit 127'
run 2 "does not start: undefined symbol: at_empty" "$folder/build"

# A second page of the same day gets another name. Some tests fail, and some find no device.
program build/galore <<'END'
[ "$1" = methods ] || { echo "galore: [memory] too small" >&2 && exit 1; }
END
run 0 "failed: nothing" "$folder/build"
expect "Failed: nothing." "${page%.md}-2.md"
program build/kernels_test <<<'case "$*" in *list*) printf "OnCuda.\n  One\n" ;; *) printf "[  PASSED  ] 6 tests.\n[  FAILED  ] 2 tests, listed below:\n[  FAILED  ] OnCuda.One\n"; exit 1 ;; esac'
run 1 "failed: kernels_test" "$folder/build"
expect "| kernels_test | 6 | 2 | 0 | status 1:" "${page%.md}-3.md"
expect "    [  FAILED  ] OnCuda.One" "${page%.md}-3.md"
program build/kernels_test <<<'case "$*" in *list*) printf "OnCuda.\n  One\n" ;; *) printf "[  PASSED  ] 0 tests.\n[  SKIPPED ] 8 tests, listed below:\n" ;; esac'
run 1 "failed: kernels_test" "$folder/build"
expect "all skipped: it sees no device" "${page%.md}-4.md"

[ "$faults" = 0 ]
