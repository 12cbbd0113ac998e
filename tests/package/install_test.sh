#!/usr/bin/env bash
# install_test.sh CMAKE BUILD EXAMPLE COMPILER: installs BUILD into a temporary folder, builds
# EXAMPLE against it with find_package and runs it. It also tests the package's messages when
# libtorch is missing or another version.
set -euo pipefail
readonly cmake=$1 build=$2 example=$3 compiler=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset TORCH_ROOT

die() {
  echo "install_test: $*" >&2
  exit 1
}

"$cmake" --install "$build" --prefix "$folder/usr" >"$folder/log" || die "$(tail -5 "$folder/log")"
for file in bin/galore share/galore/configs/llama_60m.yaml share/doc/galore/LICENSE \
  include/galore/optim/autograd_optimizer.h include/galore/train/trainer.h; do
  [ -f "$folder/usr/$file" ] || die "$file is not installed"
done
[ ! -e "$folder/usr/lib/galore" ] || die "libtorch is bundled without being asked for"
! grep -rE '#include "(core|kernels|optim|nn|models|tokenizer|data|checkpoint|report|train)/' "$folder/usr/include" ||
  die "headers name each other from src/"
! grep -r 'include <fmt' "$folder/usr/include" || die "a public header includes fmt, of which libtorch has another version"
"$folder/usr/bin/galore" methods galore_adamw >/dev/null || die "the installed program does not run"

configure() {
  "$cmake" -S "$example" -B "$folder/$1" -DCMAKE_PREFIX_PATH="$folder/usr" -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_BUILD_TYPE=Release "${@:2}" >"$folder/log" 2>&1
}

# CMake breaks its messages into lines.
expect_refusal() {
  ! configure refused "-DTORCH_ROOT=$1" || die "libtorch in '$1' is accepted"
  tr -s ' \n' ' ' <"$folder/log" | grep -qF -e "$2" || die "expected '$2', given: $(cat "$folder/log")"
}
expect_refusal "$folder/none" "no lib/libtorch_cpu.so in '$folder/none': set TORCH_ROOT"
mkdir -p "$folder/old/lib" "$folder/old/include/ATen" "$folder/old/include/torch/headeronly"
touch "$folder/old/lib/libtorch_cpu.so" "$folder/old/include/ATen/ATen.h"
printf '#define TORCH_VERSION_%s\n' 'MAJOR 1' 'MINOR 13' 'PATCH 1' >"$folder/old/include/torch/headeronly/version.h"
expect_refusal "$folder/old" "but '$folder/old' is 1.13.1"

configure build || die "$(cat "$folder/log")"
"$cmake" --build "$folder/build" >"$folder/log" 2>&1 || die "$(tail -30 "$folder/log")"
"$folder/build/embed" galore_adamw_8bit rank=8 || die "the example fails with status $?"
