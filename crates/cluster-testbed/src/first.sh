# The first process of a testbed. It makes the testbed's own view of the machine, and lives as long as somebody
# holds the testbed; all its other processes end with it.
set -e
folder=${1:?}

# What programs of a cluster write at fixed places stays here. The folder itself is seen wherever it is.
mount --make-rprivate /
mount -t tmpfs tmpfs /var/log
mkdir /var/log/folder
mount --bind "$folder" /var/log/folder
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock /run/testbed/upper /run/testbed/work
mount -t overlay overlay -o lowerdir=/var/lib,upperdir=/run/testbed/upper,workdir=/run/testbed/work /var/lib
case $folder in
  /run/* | /var/lib/*)
    mkdir -p "$folder"
    mount --bind /var/log/folder "$folder"
    ;;
esac

# A kubelet sets these for the whole machine. It may set copies.
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
  kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy=/run/testbed/${name//\//-}
  cat "/proc/sys/$name" >"$copy"
  mount --bind "$copy" "/proc/sys/$name"
done
mount --make-rshared /
ip link set lo up
echo ready
exec >/dev/null

# Holders share this lock, and the kernel releases it for those that end. It is granted once nobody holds it.
flock --exclusive "$folder/holders" true
exit 0
