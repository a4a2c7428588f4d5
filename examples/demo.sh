#!/bin/sh
# What weir does, on the bundled example. `make demo` builds weir and runs this.
# Exit codes 1 are answers here (denied, different, findings); 2 and 3 are failures of the demo.
set -eu
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
case "$target" in /*) ;; *) target="$PWD/$target" ;; esac
PATH="${WEIR_BINARIES:-$target/release}:$PATH"
shop=examples/parcel-shop

say() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi; }
run() {
  printf '$ weir %s\n' "$*"
  status=0
  weir "$@" || status=$?
  if [ "$status" -gt 1 ]; then
    echo "demo: weir $1 ended with exit code $status" >&2
    exit "$status"
  fi
}

say "May the web server reach the payments database? It should not."
run check "$shop" --from shop/web --to pci/payments-db --port 5432/tcp

say "Why is that allowed?"
run explain "$shop" --from shop/web --to pci/payments-db --port 5432/tcp

say "What else is wrong in these policies?"
run lint "$shop"

say "A change is waiting for review. What would it do?"
run diff "$shop" --apply examples/parcel-shop-change/change.yaml

say "Who reaches the pci namespace today?"
run map "$shop" --focus pci/

say "All of it, to explore in a browser:"
mkdir -p "$target/demo"
page="$target/demo/parcel-shop.html"
weir map "$shop" -o html >"$page"
echo "$page"
