#!/usr/bin/env bash
# Makes sure that this machine can build Sluice: a Swift toolchain, and the system packages below. Installs missing
# packages with apt where it may; says what to install where it can't. Does nothing when all is there.
set -euo pipefail

required_swift="6.2"

fail() {
  printf 'bootstrap: %s\n' "$@" >&2
  exit 1
}

# at_least VERSION MINIMUM: both "major.minor…".
at_least() {
  local have_major have_minor want_major want_minor
  IFS=. read -r have_major have_minor _ <<<"$1."
  IFS=. read -r want_major want_minor _ <<<"$2."
  ((have_major > want_major || (have_major == want_major && ${have_minor:-0} >= want_minor)))
}

check_swift() {
  command -v swift >/dev/null || fail "no 'swift' on PATH; install Swift ${required_swift} or later:" \
    "  https://www.swift.org/install/linux"
  local version
  version="$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)"
  [[ -n "$version" ]] || fail "cannot tell the version of $(command -v swift) ('swift --version' failed)"
  at_least "$version" "$required_swift" ||
    fail "$(command -v swift) is Swift ${version}; Sluice needs ${required_swift} or later"
}

# The Debian packages that are not there yet, judged by what they bring and not by dpkg, so that a library or a tool
# that was installed in another way is as good.
missing_packages() {
  local packages=()
  if ! command -v pkg-config >/dev/null; then
    packages+=(pkg-config)
  fi
  has_library jemalloc || packages+=(libjemalloc-dev)
  has_library capnp || packages+=(libcapnp-dev)
  command -v capnp >/dev/null || packages+=(capnproto)
  command -v c++ >/dev/null || command -v g++ >/dev/null || packages+=(g++)
  echo "${packages[*]}"
}

has_library() {
  command -v pkg-config >/dev/null && pkg-config --exists "$1"
}

install_packages() {
  local as_root=()
  local command_line="apt-get install -y $*"
  command -v apt-get >/dev/null ||
    fail "missing on this machine: $*" \
      "these are Debian's and Ubuntu's package names, and there is no apt-get here;" \
      "install their counterparts (see INSTALL.md) and try again"
  if [[ "$(id -u)" != 0 ]]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      fail "missing on this machine: $*" "no right to install them; as root, run:" "  $command_line"
    fi
  fi
  echo "bootstrap: installing $*" >&2
  local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
  # Package lists may be absent or stale: refresh them only when the installation fails without.
  "${install[@]}" >&2 2>/dev/null ||
    { "${as_root[@]}" apt-get update >&2 && "${install[@]}" >&2; } ||
    fail "'$command_line' failed; install these packages in another way and try again"
}

check_swift
missing="$(missing_packages)"
if [[ -n "$missing" ]]; then
  # shellcheck disable=SC2086 # a list of words
  install_packages $missing
  missing="$(missing_packages)"
  [[ -z "$missing" ]] || fail "installed, and yet still missing: $missing"
fi
