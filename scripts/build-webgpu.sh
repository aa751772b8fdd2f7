#!/usr/bin/env bash
# Builds the engine for graphics cards into web/webgpu/, from where the next build of the explorer takes
# it. Takes some ten minutes on two cores. With CSAE_SMALL=1 it is also made smaller, for a public site.
set -eu
cd "$(dirname "$0")/.."
. scripts/browser-env.sh
use_wasm_compiler
cargo build --locked --target "$wasm_target" -p web --profile page --features gpu --bin engine_gpu
wasm-bindgen --target web --no-typescript --out-dir web/webgpu \
  "$CARGO_TARGET_DIR/$wasm_target/page/engine_gpu.wasm"
if [ "${CSAE_SMALL:-}" = 1 ]; then
  # Not -Oz: its file is smaller, but larger once a server has compressed it.
  npx --yes --package=binaryen@132 wasm-opt -O1 --enable-simd --enable-bulk-memory \
    --enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext \
    --enable-mutable-globals --enable-multivalue \
    web/webgpu/engine_gpu_bg.wasm -o web/webgpu/small.wasm
  mv web/webgpu/small.wasm web/webgpu/engine_gpu_bg.wasm
fi
