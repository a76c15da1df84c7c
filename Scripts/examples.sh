#!/usr/bin/env bash
# Builds the packages in Examples, each of which uses this one as others would, and compares what they print.
set -euo pipefail
cd "$(dirname "$0")/../Examples"

swift build --package-path AddressBook
diff <("$(swift build --package-path AddressBook --show-bin-path)/addressbook") AddressBook/expected.txt
