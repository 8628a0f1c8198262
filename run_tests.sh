#!/usr/bin/env bash
# Sets up everything the tests need and runs them: ./run_tests.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v verilator >/dev/null || ! command -v iverilog >/dev/null || ! command -v g++ >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq verilator iverilog g++ >/dev/null
  else
    echo "note: verilator, iverilog or g++ is missing; the tests that need them are skipped" >&2
  fi
fi
python=${PYTHON:-python3}
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[test]'
.venv/bin/ruff check c4ml_xdsl tests examples benchmarks docs
.venv/bin/pyright --threads 2 --pythonpath .venv/bin/python
# one process a core; those that are done take tests from the others
.venv/bin/python -m pytest -n auto --dist worksteal "$@"
