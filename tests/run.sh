#!/usr/bin/env bash
# The whole suite on SQLite, then on PostgreSQL all but what a browser walks through, which is the same on both. On a
# laptop without PostgreSQL the second run is left out and says so; in CI (MAILAI_REQUIRE_POSTGRES=1) its absence is a
# failure.
set -euo pipefail
cd "$(dirname "$0")/.."
export MAILAI_SECRET_KEY=${MAILAI_SECRET_KEY:-only-for-tests} MAILAI_FIELD_KEYS=${MAILAI_FIELD_KEYS:-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}
export MAILAI_INDEX_KEY=${MAILAI_INDEX_KEY:-only-for-tests}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export MAILAI_DATA_DIR="$scratch"
postgres=${MAILAI_TEST_POSTGRES:-${DATABASE_URL:-}}
unset DATABASE_URL
python manage.py makemigrations --check --dry-run
echo "== SQLite"
python -m pytest -n auto -q
if [ -n "$postgres" ]; then
  echo "== PostgreSQL"
  DATABASE_URL="$postgres" python -m pytest -n auto -q --ignore-glob="*_browser.py"
elif [ "${MAILAI_REQUIRE_POSTGRES:-0}" = 1 ]; then
  echo "PostgreSQL is required here: set MAILAI_TEST_POSTGRES=postgres://user@host:port/name" >&2
  exit 1
else
  echo "PostgreSQL was not tested: set MAILAI_TEST_POSTGRES=postgres://user@host:port/name"
fi
