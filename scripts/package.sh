#!/bin/sh
# Builds metalens-<version>.vsix, one package for every machine, from a fresh clone. Needs Python 3.10 or newer with pip
# (PYTHON, else .venv, else python3) and Node.js 20 or newer, which is installed below .e2e/ where it is missing.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-}
[ -n "$python" ] || { [ -x .venv/bin/python ] && python=.venv/bin/python; } || python=python3
PATH=$("$python" scripts/package_node.py 20):$PATH
export PATH

# Equal sources give an equal package: no time of day goes into it.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 946684800)}
export SOURCE_DATE_EPOCH

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
fi
"$python" scripts/bundle.py
npm run --silent build -- --log-level=warning --metafile=dist/meta.json
node scripts/package_licenses.mjs
name=metalens-$(node -p 'require("./package.json").version').vsix
node_modules/.bin/vsce package --no-dependencies --allow-missing-repository --no-rewrite-relative-links --out "$name" >/dev/null
echo "$name: $(($(wc -c <"$name") / 1024)) KiB"
