#!/usr/bin/env bash
# From typing `make chat` to the first reply, on a fresh clone without caches, and again once installed. Seconds.
#   bench/first_reply.sh > bench/results/first_reply.json
set -euo pipefail
root=$(git rev-parse --show-toplevel)
clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone -q "$root" "$clone/mentos"
cd "$clone/mentos"

first_reply() {
    local start end
    start=$(date +%s.%N)
    printf '요즘 잠이 안 와요\n' | MENTOS_HOME="$clone/home" PIP_NO_CACHE_DIR=1 make -s chat >"$clone/said" 2>"$clone/errors"
    end=$(date +%s.%N)
    [ -s "$clone/said" ] || { cat "$clone/errors" >&2; exit 1; }
    echo "$end - $start" | bc
}

installing=$(first_reply)
again=$(first_reply)
printf '{"install_and_first_reply_s": %.1f, "first_reply_s": %.1f}\n' "$installing" "$again"
