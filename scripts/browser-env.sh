# Sourced, from the root of the checkout: where the browser half keeps its tools and builds.
cache=${CSAE_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/csae-build}
tools=$cache/tools
wasm_target=wasm32-unknown-unknown
mkdir -p "$tools"
PATH=$tools/bin:$PATH

# The version of a crate in Cargo.lock; wasm-bindgen's tool must equal its library.
locked_version() { grep -A1 "^name = \"$1\"$" Cargo.lock | sed -n 's/^version = "\(.*\)"/\1/p'; }

# Two compilers share no target folder. Debian's compiler is used only where rustup has no wasm target.
use_wasm_compiler() {
  export CARGO_TARGET_DIR=$cache/target-wasm
  if ! rustup target list --installed 2>/dev/null | grep -q "^$wasm_target$" &&
    rustup toolchain list 2>/dev/null | grep -q '^debian'; then
    export RUSTUP_TOOLCHAIN=debian
  fi
}
