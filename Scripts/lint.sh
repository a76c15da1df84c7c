#!/usr/bin/env bash
# Checks every source that people write: formatting (strict, with .swift-format) and the syntax of the scripts.
# What a generator wrote is committed in folders named Generated and is not checked.
set -euo pipefail
cd "$(dirname "$0")/.."

find . \( -name '.build*' -o -name .git -o -name Generated \) -prune -o -name '*.swift' -print0 |
  xargs -0 swift format lint --strict --parallel

for script in Scripts/*.sh .ci/run; do
  bash -n "$script"
done
