# Sourced by test.sh: the stages of the browser half.

in_wasm() { (. scripts/browser-env.sh && use_wasm_compiler && "$@"); }

# The same code as natively, and the components, in Chromium.
wasm_tests() {
  in_wasm wasm-pack test --headless --chrome --mode no-install web \
    --locked --profile engine --features cpu --test browser_models &&
    in_wasm wasm-pack test --headless --chrome --mode no-install web \
      --locked --profile page --features page --test browser_pages
}

wasm_lints() {
  in_wasm cargo clippy --locked --target wasm32-unknown-unknown -p web --profile page \
    --features page --lib --bin explorer --test browser_pages -- -D warnings
}

# A stage of the WebGPU engine, whose build takes long: only where CSAE_WEBGPU asks for it.
webgpu_stage() {
  if [ "${CSAE_WEBGPU:-}" = 1 ]; then
    stage "$@"
  else
    printf '\n=== %s: left out, CSAE_WEBGPU=1 brings it\n' "$1"
  fi
}

node_tests() { (cd web/e2e && node --test --test-reporter=tap "$@"); }

browser_stages() {
  stage "browser tools" scripts/install-browser.sh
  webgpu_stage "WebGPU engine" scripts/build-webgpu.sh
  stage "explorer" scripts/explorer.sh
  stage "sizes" node web/e2e/size.mjs
  stage "wasm tests" wasm_tests
  stage "wasm lints" wasm_lints
  stage "pages in Chromium" node_tests pages.test.mjs tools.test.mjs
  stage "engine in Chromium" node_tests engine.test.mjs
  stage "no graphics card in Chromium" node_tests graphics.test.mjs
  webgpu_stage "WebGPU in Chromium" node_tests webgpu.test.mjs
  stage "times in Chromium" node_tests perf.test.mjs
  stage "pages and engine in Firefox" node_tests firefox.test.mjs
  stage "accessibility" node_tests axe.test.mjs
  stage "study in Chromium" node_tests study.test.mjs
}
