#!/bin/sh
# The bundled example as a lab with traffic, to look at with `weir lab watch`; it goes when the watch ends.
set -eu
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
case "$target" in /*) ;; *) target="$PWD/$target" ;; esac
PATH="${WEIR_BINARIES:-$target/release}:$PATH"

if [ $# -eq 0 ]; then
  lab="parcel-shop-$$"
  exec weir lab up examples/parcel-shop --external 203.0.113.9 --name "$lab" -- examples/lab-live.sh "$lab"
fi
lab="$1"

(while weir lab status --name "$lab"; do
  for from in shop/ delivery/ monitoring/prometheus pci/; do
    weir lab probe --name "$lab" --from "$from" || true
  done
done) >/dev/null 2>&1 &
weir lab watch --name "$lab"
