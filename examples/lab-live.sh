#!/bin/sh
# The bundled example as a lab with traffic, to look at with `weir lab watch`; it goes when the watch ends.
set -eu
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
case "$target" in /*) ;; *) target="$PWD/$target" ;; esac
PATH="$target/release:$PATH"
lab="parcel-shop-$$"

traffic=
finish() {
  [ -z "$traffic" ] || { kill "$traffic" 2>/dev/null; wait "$traffic" 2>/dev/null; } || true
  weir lab down --name "$lab" >/dev/null 2>&1 || true
}
trap finish EXIT
trap 'exit 130' INT TERM

weir lab up examples/parcel-shop --external 203.0.113.9 --name "$lab"
(while :; do
  for from in shop/ delivery/ monitoring/prometheus pci/; do
    weir lab probe --name "$lab" --from "$from" >/dev/null 2>&1 || true
  done
done) &
traffic=$!
weir lab watch --name "$lab"
