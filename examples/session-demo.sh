#!/bin/bash
# A tour of recorded sessions on a real Kubernetes that lives in namespaces on this machine. `make demo-session` runs it
# inside of that cluster's network, with KUBECONFIG of its administrator and TESTBED, the cluster's folder.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
case "$target" in /*) ;; *) target="$PWD/$target" ;; esac
PATH="${WEIR_BINARIES:-$target/release}:$PATH"
: "${TESTBED:?run this with make demo-session}"
gateway=https://192.168.77.1:8443/clusters/demo

say() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi; }
# Shows a command and runs it. Exit code 1 is an answer here.
run() {
  printf '$'; printf ' %q' "$@"; printf '\n'
  status=0; "$@" || status=$?
  if [ "$status" -gt 1 ]; then echo "demo: $1 ended with exit code $status" >&2; exit "$status"; fi
}

work="$TESTBED/demo"
mkdir -p "$work"/{keys,recordings,ledger}
# A key, and a certificate that the cluster's authority signs: NAME SUBJECT [SUBJECT-ALTERNATIVE-NAMES].
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$1.key" -subj "$2" -out "$work/$1.csr" 2>/dev/null
  openssl x509 -req -in "$work/$1.csr" -CA "$TESTBED/certificates/ca.pem" -CAkey "$TESTBED/certificates/ca.key" -days 1 \
    -extfile <(echo "basicConstraints=CA:FALSE"; if [ $# -gt 2 ]; then echo "subjectAltName=$3"; fi) -out "$work/$1.pem" 2>/dev/null
}
certificate server /CN=gateway IP:192.168.77.1
certificate gateway /CN=weir-gateway
certificate ann /O=ops/CN=ann
kubectl create clusterrolebinding ann --clusterrole=cluster-admin --user=ann >/dev/null
kubectl run shell --image=docker.io/library/busybox:1 --image-pull-policy=Never >/dev/null
kubectl wait --for=condition=Ready pod/shell --timeout=60s >/dev/null

say "Keys: one signs the ledger and stays with the gateway, two open recordings and belong to auditors."
run weir gateway keygen "$work/keys" | tee "$work/public"
public() { awk -v name="$1" '$1 == name { print $2 }' "$work/public"; }
cat > "$work/gateway.yaml" <<YAML
name: demo
listen: {address: "192.168.77.1:8443", certificate: server.pem, key: server.key}
clients: {certificates: {authority: $TESTBED/certificates/ca.pem}}
clusters:
- name: demo
  server: $(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
  authority: $TESTBED/certificates/ca.pem
  identity: {certificate: gateway.pem, key: gateway.key}
recordings:
  folder: recordings
  readers: {output: [{age: $(public shown)}], input: [{age: $(public typed)}]}
  # The demo's machine may have little room; see docs/gateway-config.md for what to say in earnest.
  freeSpace: {admission: 300MiB, drain: 200MiB, critical: 100MiB}
ledger: {folder: ledger, key: keys/ledger.key}
rules:
- {name: ops, effect: allow, groups: [ops]}
YAML
say "The cluster lets the gateway in, and refuses exec, attach, port-forward, debug and proxies that it does not record."
echo "$ weir gateway install --gateway-identity weir-gateway | kubectl apply --server-side -f -"
weir gateway install --gateway-identity weir-gateway --requests everything | kubectl apply --server-side -f -

weir gateway run --config "$work/gateway.yaml" --log-format text 2>"$work/gateway.log" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
until grep -q 'the gateway serves' "$work/gateway.log"; do
  kill -0 "$server" || { cat "$work/gateway.log" >&2; exit 3; }
  sleep 0.1
done
cat > "$work/ann.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: demo
clusters: [{name: demo, cluster: {server: "$gateway", certificate-authority: $TESTBED/certificates/ca.pem}}]
users: [{name: ann, user: {client-certificate: ann.pem, client-key: ann.key}}]
contexts: [{name: demo, context: {cluster: demo, user: ann}}]
YAML

say "Ann opens a shell, with plain kubectl."
echo "$ kubectl exec -it shell -- sh"
typed() { sleep 1; for line in 'id' 'ls /etc' 'echo done > /var/note' 'exit'; do sleep 0.7; printf '%s\r' "$line"; done; sleep 0.5; }
typed | KUBECONFIG="$work/ann.kubeconfig" script -qec 'stty cols 100 rows 24; kubectl exec -it shell -- sh' /dev/null | tr -d '\r' | sed 's/\x1b\[6n//g' || true

say "The cluster's administrator tries past the gateway."
run kubectl exec shell -- id

say "What is there of it? Who, where, when and what was started is readable without a key."
run weir sessions ls --recordings "$work/recordings"
session=$(weir sessions ls --recordings "$work/recordings" -o json | sed -n 's/.*"session": "\([^"]*\)".*/\1/p' | head -1)
say "The auditor's key shows which command lines were run, as the screen showed them."
run weir sessions show "$session" --recordings "$work/recordings" --identity "$work/keys/shown.key"
say "Replayed: what was on the screen."
if [ -t 0 ] && [ -t 1 ]; then
  run weir sessions play "$session" --recordings "$work/recordings" --identity "$work/keys/shown.key" --speed 4
else
  run weir sessions export "$session" --recordings "$work/recordings" --identity "$work/keys/shown.key" --format text
fi

say "Is it whole, and the one that was acknowledged then? The ledger proves it, offline."
run weir sessions verify "$session" --recordings "$work/recordings" --identity "$work/keys/shown.key" --identity "$work/keys/typed.key" \
  --ledger "$work/ledger" --ledger-key "$(public ledger)"
say "And was there any session without a recording? The API server's audit log says."
run weir sessions coverage "$TESTBED/audit.log" --recordings "$work/recordings" --cluster demo --gateway-identity weir-gateway \
  --ledger "$work/ledger" --ledger-key "$(public ledger)"
say "Nothing of it stays: the cluster ends with the tour."
