#!/usr/bin/env bash
# Install what Tradewind's commands need beyond a bare Debian 12, or say exactly what to install.
#   needs.sh run     Python with venv, Node 20 and npm: what `make demo` needs
#   needs.sh test    a browser, an independent HTTP/3 client, PostgreSQL, Redis: what `make test` needs on top
set -euo pipefail

missing=()
need() { # need PACKAGE COMMAND…: the package is missing when the command fails
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

case "${1:-}" in
  run)
    need python3 python3 --version
    need python3-venv python3 -c 'import ensurepip, venv'
    ;;
  test)
    need chromium command -v chromium
    need ngtcp2-client command -v gtlsclient
    need iproute2 command -v ip
    need redis-server command -v redis-server
    need redis-sentinel command -v redis-sentinel
    need postgresql sh -c 'ls /usr/lib/postgresql/*/bin/postgres'
    need libatomic1 sh -c '/sbin/ldconfig -p | grep -q libatomic.so.1' # Playwright's driver
    ;;
  *)
    echo "usage: $0 run|test" >&2
    exit 2
    ;;
esac

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "These packages are missing. Install them, then run this again:" >&2
    echo "  sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
  echo "Tradewind's pages are built with Node 20.19 or later and npm; Debian 12's own is older." >&2
  echo "Install Node 20 from its makers' Debian packages, then run this again." >&2
  exit 1
fi
