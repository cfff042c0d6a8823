#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# scenes - runs scenes.py, whose head says what it does. 77: there is no python3.
set -euo pipefail

command -v python3 >/dev/null || { echo "skipped: there is no python3"; exit 77; }
exec python3 -B "$(dirname "$0")/scenes.py" "$@"
