"""What programs in Python do with a cluster: exec with standard input, a forwarded port, a list."""

import sys

from kubernetes import client, config
from kubernetes.stream import portforward, stream

config.load_kube_config(sys.argv[1])
core = client.CoreV1Api()

session = stream(
    core.connect_get_namespaced_pod_exec, "shell", "default", container="main",
    command=["sh", "-c", "read word; echo $word; exit 5"],
    stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False,
)
session.write_stdin("hello\n")
session.run_forever(timeout=20)
print(f"exec: {session.read_stdout().strip()}, status {session.returncode}")

ports = portforward(core.connect_get_namespaced_pod_portforward, "web", "default", ports="8080")
connection = ports.socket(8080)
connection.setblocking(True)
connection.sendall(b"GET /hostname HTTP/1.0\r\n\r\n")
answer = b""
while piece := connection.recv(4096):
    answer += piece
connection.close()
print("forward:", answer.decode().split()[-1])

pods = core.list_namespaced_pod("default", label_selector="app=shell").items
print("list:", len(pods) + 1)
