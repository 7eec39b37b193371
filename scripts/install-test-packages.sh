#!/bin/sh
# Install the Debian packages that tests need, where that is allowed (root and apt-get). Elsewhere the tests that
# need them are left out and named; with CI=true a missing one is an error of its test.
set -eu
list=$(grep -v '^#' "$(dirname "$0")/../tests/debian-packages.txt")
command -v dpkg-query >/dev/null 2>&1 || { echo "not a Debian system: tests use what is installed"; exit 0; }
missing=""
for name in $list; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $name"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not root: cannot install$missing"
    exit 0
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
for attempt in 1 2 3; do
    if apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        exit 0
    fi
    echo "apt-get failed (attempt $attempt)"
    sleep 5
done
[ "${CI:-}" != true ]
