#!/usr/bin/env bash
# Memory (RSS, MB) of `mentos serve` with the web page idle, and after the page was opened once.
#   bench/serve.sh > bench/results/serve.json
set -euo pipefail
home=$(mktemp -d)
export MENTOS_HOME=$home/data
.venv/bin/python -u -m bot serve --port 0 >"$home/out" 2>&1 &
server=$!
trap 'kill $server; wait $server 2>/dev/null || true; rm -rf "$home"' EXIT
for _ in $(seq 120); do grep -q healthz "$home/out" && break; sleep 0.5; done
url=$(grep -o 'http://[0-9.:]*' "$home/out" | tail -1)
rss() { awk '/VmRSS/ {printf "%d", $2 / 1024}' "/proc/$server/status"; }
sleep 5
idle=$(rss)
curl -fsS -o /dev/null "$url/"
sleep 1
printf '{"idle_rss_mb": %s, "after_the_page_was_opened_rss_mb": %s}\n' "$idle" "$(rss)"
