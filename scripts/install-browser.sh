#!/usr/bin/env bash
# Installs what the browser half needs: the wasm target, wasm-bindgen, wasm-pack, trunk, Chromium with
# its driver and Firefox for tests. Says what it does; a second run takes seconds. Leaves the default
# toolchain alone.
#
# CSAE_BUILD_CACHE  where tools and builds are kept (default ~/.cache/csae-build)
set -eu
cd "$(dirname "$0")/.."
. scripts/browser-env.sh

debian=/usr/lib/rustlib/$wasm_target/lib

apt_install() {
  command -v apt-get >/dev/null || { echo "install by hand: $*"; return 1; }
  local sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  echo "installing: $*"
  # Always a fresh list: an old one offers compilers that are too old.
  $sudo apt-get update -q
  $sudo apt-get install -q -y --no-install-recommends "$@"
}

# The newest lld of Debian, which brings rust-lld.
newest_lld() { apt-cache search --names-only '^lld-[0-9]+$' | awk '{ print $1 }' | sort -V | tail -1; }

# Debian's own compiler and the standard library that it builds from source, once.
debian_target() {
  apt_install rustc-web cargo-web rust-web-src
  apt_install "$(newest_lld)"
  /usr/bin/rustc --version
  local minor
  minor=$(/usr/bin/rustc --version | sed 's/rustc 1\.\([0-9]*\).*/\1/')
  [ "$minor" -ge 95 ] || { echo "Debian's rustc is older than 1.95; use rustup"; return 1; }
  local empty
  empty=$(mktemp -d)
  mkdir "$empty/src" && : >"$empty/src/lib.rs"
  printf '[package]\nname = "empty"\nedition = "2024"\n' >"$empty/Cargo.toml"
  (cd "$empty" && env -u CARGO_TARGET_DIR -u RUSTUP_TOOLCHAIN PATH="/usr/bin:$PATH" RUSTC_BOOTSTRAP=1 \
    /usr/bin/cargo build --release -Z build-std=std,panic_abort,proc_macro,test --target "$wasm_target")
  rm -f "$empty/target/$wasm_target/release/deps"/libempty*
  mkdir -p "$debian"
  cp "$empty/target/$wasm_target/release/deps"/*.rlib "$debian/"
  rm -r "$empty"
  rustup toolchain link debian /usr
}

wasm_standard_library() {
  if rustup target list --installed 2>/dev/null | grep -q "^$wasm_target$"; then
    echo "wasm target: rustup has it"
  elif ls "$debian"/libstd-*.rlib >/dev/null 2>&1 && rustup toolchain list | grep -q '^debian'; then
    echo "wasm target: Debian's $(/usr/bin/rustc --version)"
  elif rustup target add "$wasm_target"; then
    echo "wasm target: added by rustup"
  else
    echo "rustup cannot reach its server; building the wasm target with Debian's compiler"
    debian_target
  fi
}

# cargo_tool NAME VERSION [--locked]: a tool that need not be fast, so it is built quickly.
cargo_tool() {
  local name=$1 version=$2
  shift 2
  if cargo install --root "$tools" --list | grep -q "^$name v$version:"; then
    echo "$name $version is there"
    return
  fi
  CARGO_TARGET_DIR=$cache/target-tools CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    cargo install --root "$tools" --force "$name" --version "=$version" "$@"
}

browsers() {
  local missing=()
  [ -x /usr/bin/chromium ] || missing+=(chromium)
  [ -x /usr/bin/chromedriver ] || missing+=(chromium-driver)
  [ -x /usr/bin/firefox-esr ] || [ -x /usr/bin/firefox ] || missing+=(firefox-esr)
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  [ ${#missing[@]} = 0 ] && echo "Chromium and Firefox are there" || apt_install "${missing[@]}"
}

wasm_standard_library
browsers
cargo_tool wasm-bindgen-cli "$(locked_version wasm-bindgen)"
cargo_tool wasm-pack 0.15.1 --locked
cargo_tool trunk 0.21.14 --locked
(cd web/e2e && npm ci --silent --no-audit --no-fund)
# Builds of the explorer ask no network; the page has crates that no other build asks for.
(use_wasm_compiler && cargo fetch --locked)
echo "the tools are in $tools/bin; scripts/explorer.sh serve uses them"
