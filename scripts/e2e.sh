#!/bin/sh
# Installs what the journeys need below .e2e/: Node.js 24, code-server (VS Code in a browser) and playwright-core; and
# Chromium from the system's packages, where there is none and we may. A second call is a no-op. Fails in words.
set -eu
cd "$(dirname "$0")/.."

code_server=4.139.1
playwright=1.65.1
python=${PYTHON:-python3}
[ -x "${python}" ] || python=$(command -v "${python}") || { echo "No Python: set PYTHON." >&2; exit 1; }

if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "No Chromium on this machine, and no right to install it: the journeys need the package 'chromium'." >&2
        exit 1
    fi
    apt-get update >/dev/null
    apt-get install -y --no-install-recommends chromium fonts-dejavu-core >/dev/null
fi

stamp=.e2e/installed-$code_server-$playwright
if [ ! -e "$stamp" ]; then
    PATH=$("$python" scripts/package_node.py 24 24):$PATH
    echo '{"private": true, "name": "journeys"}' > .e2e/package.json
    npm install --prefix .e2e --ignore-scripts --no-audit --no-fund --no-package-lock \
        "code-server@$code_server" "playwright-core@$playwright" >&2
    # Its install script would compile modules that the journeys do not use; these are the parts that they do.
    vscode=$PWD/.e2e/node_modules/code-server/lib/vscode
    (cd "$vscode" && npm install --omit=dev --ignore-scripts --no-audit --no-fund >&2)
    (cd "$vscode/extensions" && npm install --omit=dev --ignore-scripts --no-audit --no-fund >&2)
    ln -sfn code-linux.sh "$vscode/bin/remote-cli/code-server"
    ln -sfn browser-linux.sh "$vscode/bin/helpers/browser.sh"
    touch "$stamp"
fi
echo "The journeys' VS Code is ready below .e2e/."
