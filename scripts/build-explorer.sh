#!/usr/bin/env bash
# Builds the explorer into dist/. Needs what scripts/install-browser.sh installs.
set -eu
cd "$(dirname "$0")/.."
. scripts/browser-env.sh
use_wasm_compiler
env -u NO_COLOR trunk build --offline --locked --public-url ./ "$@"
