#!/usr/bin/env bash
# Sets up a virtual environment, compiles a trained network and shows what its circuit does: ./run_example.sh
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e .
.venv/bin/python examples/digits/run.py
