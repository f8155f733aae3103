#!/usr/bin/env bash
# The whole suite on SQLite, then on PostgreSQL all but what a browser walks through, which is the same on both, and what
# never asks the database (tests/conftest.py leaves it out). On a laptop without PostgreSQL the second run is left out
# and says so; in CI (MAILAI_REQUIRE_POSTGRES=1) its absence is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
export MAILAI_SECRET_KEY=${MAILAI_SECRET_KEY:-only-for-tests} MAILAI_FIELD_KEYS=${MAILAI_FIELD_KEYS:-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}
export MAILAI_INDEX_KEY=${MAILAI_INDEX_KEY:-only-for-tests}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export MAILAI_DATA_DIR="$scratch"
postgres=${MAILAI_TEST_POSTGRES:-${DATABASE_URL:-}}
unset DATABASE_URL
# Tests wait for browsers and processes: one worker more than cores uses the time. Each computes in one thread, for many
# threads on few cores wait for each other. Who runs out of tests takes some from the longest queue.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=1
workers=$(($(python -c 'import os; print(len(os.sched_getaffinity(0)))') + 1))
run() { python -m pytest -n "$workers" --dist worksteal -q "$@"; }
python manage.py makemigrations --check --dry-run
echo "== SQLite"
run
if [ -n "$postgres" ]; then
  echo "== PostgreSQL"
  DATABASE_URL="$postgres" run --ignore-glob="*_browser.py"
elif [ "${MAILAI_REQUIRE_POSTGRES:-0}" = 1 ]; then
  echo "PostgreSQL is required here: set MAILAI_TEST_POSTGRES=postgres://user@host:port/name" >&2
  exit 1
else
  echo "PostgreSQL was not tested: set MAILAI_TEST_POSTGRES=postgres://user@host:port/name"
fi
