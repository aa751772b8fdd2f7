#!/usr/bin/env bash
# Builds the explorer into dist/, or shows it: scripts/explorer.sh [build|serve] [what trunk takes].
# The same as trunk itself, with the tools and the compiler of scripts/install-browser.sh.
set -eu
cd "$(dirname "$0")/.."
. scripts/browser-env.sh
use_wasm_compiler
command=${1:-build}
[ $# = 0 ] || shift
env -u NO_COLOR trunk "$command" --offline --locked --public-url ./ "$@"
