#!/bin/sh
# Run pytest with these options. Tests hold real processes to each other while others keep the machine busy: what
# fails is run once more, alone. What passes then is named as unsteady, for whoever mends it; what fails twice, or more
# than three failures, is a failure.
set -u
cd "$(dirname "$0")/.."
again=3
python=.venv/bin/python
cache=.pytest_cache/run-$$
trap 'rm -rf "$cache"' EXIT
pytest() { env -u PYTHONDONTWRITEBYTECODE "$python" -m pytest -o cache_dir="$cache" "$@"; }
failed() { "$python" -c 'import json, sys; print(*json.load(open(sys.argv[1])), sep="\n")' "$cache/v/cache/lastfailed"; }

pytest "$@"
code=$?
[ "$code" = 1 ] && [ -f "$cache/v/cache/lastfailed" ] || exit "$code"
names=$(failed)
[ "$(printf '%s\n' "$names" | wc -l)" -le "$again" ] || exit 1
printf 'Once more, alone:\n%s\n' "$names"
pytest "$@" -n 0 --last-failed --last-failed-no-failures none || exit 1
printf 'UNSTEADY, failed among others and passed alone; mend them:\n%s\n' "$names"
