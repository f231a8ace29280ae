#!/usr/bin/env bash
# Writes the lock files of the image: every package that pyproject.toml asks for, and what builds the wheel, with
# the hashes of their files. Run it after a change of dependencies; it needs uv (pip install uv==0.13.8).
set -euo pipefail
cd "$(dirname "$0")/.."

export UV_CUSTOM_COMPILE_COMMAND="docker/lock.sh"
common=(--python-version 3.11 --python-platform x86_64-unknown-linux-gnu --generate-hashes --no-annotate --quiet)

uv pip compile "${common[@]}" --upgrade --output-file docker/requirements.lock pyproject.toml
sed -n 's/^requires = \["\(.*\)"\]$/\1/p' pyproject.toml |
    uv pip compile "${common[@]}" --upgrade --output-file docker/build.lock -
