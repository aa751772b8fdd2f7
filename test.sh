#!/usr/bin/env bash
# All tests of csae. Installs what it needs, says what it does, can be run again at any time.
# Its last line is "N passed, N failed".
#
# CSAE_BUILD_CACHE  where builds are kept, outside the checkout (default ~/.cache/csae-build)
# CSAE_WEBGPU       1 also builds the engine for graphics cards and proves it (some ten minutes)
# CSAE_DATA         a folder with shakespeare_char/input.txt for the run on real text; without it, that
#                   run looks for one itself
set -u
cd "$(dirname "$0")" || exit 1
cache=${CSAE_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/csae-build}
export CARGO_TARGET_DIR=$cache/target
export CARGO_TERM_COLOR=never
mkdir -p "$cache" || exit 1

. scripts/stages.sh
. scripts/test-browser.sh

# A software Vulkan driver to test the graphics card's path without one, numpy to read what we write.
install_tools() {
  command -v cargo || { echo "cargo is missing: install Rust from https://rustup.rs"; return 1; }
  cargo --version
  local missing=()
  ls /usr/share/vulkan/icd.d/lvp_icd*.json >/dev/null 2>&1 || missing+=(mesa-vulkan-drivers)
  ldconfig -p | grep -q libvulkan.so.1 || missing+=(libvulkan1)
  /usr/bin/python3 -c 'import numpy' 2>/dev/null || missing+=(python3-numpy)
  if [ ${#missing[@]} = 0 ]; then
    echo "nothing to install"
  elif command -v apt-get >/dev/null; then
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    echo "installing: ${missing[*]}"
    $sudo apt-get update -q && $sudo apt-get install -q -y --no-install-recommends "${missing[@]}"
  else
    echo "install these by hand: ${missing[*]}"
    return 1
  fi
}

# The smallest profile on real text, then what other programs make of its files.
main_job() {
  local work=$cache/smoke
  rm -rf "$work" && mkdir -p "$work" || return 1
  (cd "$work" && CSAE_PROFILE=smoke CSAE_DEVICE=cpu \
    "$CARGO_TARGET_DIR/release/trainer" --out_dir=run_1) || return 1
  /usr/bin/python3 tests/read_results.py "$work/run_1" && /usr/bin/python3 scripts/check_losses.py "$work/run_1"
}

# A world of the benchmark, as other programs read it.
exported_world() {
  local work=$cache/world
  rm -rf "$work"
  "$CARGO_TARGET_DIR/release/trainer" benchmark --export="$work" --export-rows=4096,2048,2048 || return 1
  /usr/bin/python3 tests/read_world.py "$work"
}

stage "tools" install_tools
stage "format" cargo fmt --all --check
stage "build and test" env CSAE_TEST_DEVICE=software \
  cargo test --release --locked -p shared -p trainer -p web --no-fail-fast
stage "lints" cargo clippy --release --locked --workspace --all-targets -- -D warnings
# Type-checks the CUDA path; DOCS_RS leaves out the LLVM bundle that only linking needs.
stage "cuda check" env DOCS_RS=1 cargo check --release --locked -p trainer --features cuda
stage "main job, smoke profile" main_job
stage "exported world" exported_world
browser_stages
summary
