#!/usr/bin/env bash
# Install what the tests need beyond Python and Node, or say exactly what to install.
set -euo pipefail
declare -A needs=(
  [chromium]=chromium
  [gtlsclient]=ngtcp2-client
  [sqlite3]=sqlite3
)
missing=()
for command in "${!needs[@]}"; do
  command -v "$command" >/dev/null || missing+=("${needs[$command]}")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
if [ "$(id -u)" -ne 0 ]; then
  echo "These packages are missing. Install them, then run this again:" >&2
  echo "  sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
