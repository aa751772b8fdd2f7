# Sourced: stages of a test run, their minutes, and what they counted.
passed=0
failed=0
table=()

# Adds up the numbers that a pattern finds in a file.
sum_of() { sed -n "$1" "$2" | awk '{ sum += $1 } END { print sum + 0 }'; }

# stage NAME COMMAND...: runs a command; counts it once, or the tests that its output reports.
stage() {
  local name=$1 began=$SECONDS status out good bad
  shift
  printf '\n=== %s\n' "$name"
  out=$(mktemp)
  "$@" 2>&1 | tee "$out"
  status=${PIPESTATUS[0]}
  # cargo's runner, then node's.
  good=$(($(sum_of 's/^test result: .* \([0-9]*\) passed.*/\1/p' "$out") + $(sum_of 's/^# pass \([0-9]*\)$/\1/p' "$out")))
  bad=$(($(sum_of 's/^test result: .* \([0-9]*\) failed.*/\1/p' "$out") + $(sum_of 's/^# fail \([0-9]*\)$/\1/p' "$out")))
  if [ $((good + bad)) = 0 ]; then
    [ "$status" = 0 ] && good=1 || bad=1
  elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
    # A command that failed without a failed test has not even built.
    bad=1
  fi
  passed=$((passed + good))
  failed=$((failed + bad))
  [ "$status" = 0 ] || printf '=== %s: FAILED (exit code %s)\n' "$name" "$status"
  rm -f "$out"
  table+=("$(awk -v s=$((SECONDS - began)) -v n="$name" 'BEGIN { printf "%6.1f min  %s", s / 60, n }')")
}

# The minutes of every stage, then the line that counts.
summary() {
  printf '\n=== minutes\n'
  printf '%s\n' "${table[@]}"
  printf '%6.1f min  in all\n' "$(awk -v s=$SECONDS 'BEGIN { print s / 60 }')"
  printf '\n%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}
