#!/bin/sh
# A tour of the lab on the bundled example: policies on real packets. `make demo` runs it behind demo.sh.
# Exit codes 1 are answers here; 2 and 3 are failures of the demo. `weir lab up` runs the tour, which is this
# script with the lab's name, and ends the lab with it, also when either is killed.
set -eu
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
case "$target" in /*) ;; *) target="$PWD/$target" ;; esac
PATH="${WEIR_BINARIES:-$target/release}:$PATH"
shop=examples/parcel-shop

say() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi; }
run() {
  command="$1"; shift
  printf '$ weir lab %s' "$command"
  [ $# -eq 0 ] || printf ' %s' "$@"
  printf '\n'
  status=0
  weir lab "$command" --name "$lab" "$@" || status=$?
  if [ "$status" -gt 1 ]; then
    echo "demo: weir lab $command ended with exit code $status" >&2
    exit "$status"
  fi
}

if [ "$(id -u)" -ne 0 ]; then
  say "The tour of the lab makes network namespaces: run it as root, with sudo examples/lab-demo.sh"
  exit 0
fi

if [ $# -eq 0 ]; then
  lab="parcel-shop-$$"
  say "The same shop as a small network on this machine: a namespace for each pod, policies enforced in the kernel."
  echo "$ weir lab up $shop --external 203.0.113.9"
  exec weir lab up "$shop" --external 203.0.113.9 --name "$lab" -- examples/lab-demo.sh "$lab"
fi
lab="$1"

# What an application would do all the time.
(while weir lab probe --name "$lab" --from shop/ --to pci/payments-db --port 5432; do sleep 1; done) >/dev/null 2>&1 &
traffic=$!
trap 'kill "$traffic" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

say "Prometheus scrapes the mailer. Does it?"
run probe --from monitoring/prometheus --to delivery/mailer --port 9090
say "No. Who says so?"
run flows --denied --from monitoring/prometheus --to delivery/mailer --last 2

say "The policy misspells its name. What would the corrected one do to the connections of this moment?"
run diff examples/parcel-shop-lab/allow-scrape.yaml
say "Apply it, and try again."
run apply examples/parcel-shop-lab/allow-scrape.yaml
run probe --from monitoring/prometheus --to delivery/mailer --port 9090

say "Nobody meant the web server to reach the payments database, and it does. A stricter policy is staged: it enforces nothing, and each connection says what it would do."
run apply --stage examples/parcel-shop-lab/keep-web-out.yaml
run probe --from shop/web --to pci/payments-db --port 5432
run flows --denied --from shop/web --to pci/payments-db --last 2

say "Nothing else would break, so it is enforced."
run apply examples/parcel-shop-lab/keep-web-out.yaml
run probe --from shop/web --to pci/payments-db --port 5432

say "Who reaches whom: every pod tries every port of every other, and every Service. Do the packets do as the policies say?"
run probe

say "And nothing of it stays: the lab ends with the tour."
