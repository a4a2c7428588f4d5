# Starts a testbed's namespaces, and removes what is left when the last of its processes is gone.
#
# Its standard error is the testbed's lock, which thus is held until this has ended, and every process below.
# It ignores what a terminal or an impatient person sends: only the end of the first process ends it.
folder=${1:?} group=${2:?} first=${3:?}
trap '' INT TERM HUP QUIT

# Should this be killed, then so is what it started, and with it everything.
setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount --mount-proc --net --uts --ipc -- \
  bash -c "$first" testbed "$folder"

# The kernel lets go of a control group shortly after its last process.
for _ in {1..200}; do
  trees=$(find /sys/fs/cgroup -maxdepth 2 -type d -name "$group")
  [ -z "$trees" ] && break
  find $trees -depth -type d -exec rmdir {} \; 2>/dev/null
  sleep 0.05
done
# The lock goes last, and is held by this shell until then: it must not become the `rm`.
find "$folder" -mindepth 1 ! -path "$folder/alive" -delete 2>/dev/null
rm -rf "$folder"
exit 0
