#!/usr/bin/env bash
# Sets up a virtual environment, compiles a trained network and shows what its circuit does: ./run_example.sh
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v c++ >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && apt-get install -y -qq g++ >/dev/null
fi
python=${PYTHON:-python3}
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e .
.venv/bin/python examples/digits/run.py
