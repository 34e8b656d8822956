# The way into a sandbox: the first process of mount, pid, network, ipc and uts namespaces of its own.
# $1: the folder that becomes /. $2: the first of 65536 ids that users inside really have. $3: bytes of /tmp.
# $4…: what is bound read-only, up to --; then the command.
# Every step before the command is a condition of it: the first that fails ends the run, before the word `ready`.
set -eu
root=$1 first=$2 room=$3
shift 3
fixed() {
    mount --rbind "$1" "$2"
    mount -o "remount,bind,$(findmnt --noheadings --raw --output VFS-OPTIONS --mountpoint "$2" | sed 's/^rw/ro/'),nosuid,nodev" "$2"
}
mount --make-rprivate /
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
    fixed "$1" "$root$2"
    shift 2
done
shift
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
for name in null zero full random urandom; do
    mount --bind "/dev/$name" "$root/dev/$name"
done
cd "$root"
pivot_root . .
umount -l .
cd /
# A user namespace of ids that own nothing on this machine: root inside is nobody to every file outside.
unshare --user sleep infinity &
holder=$!
tries=100
while [ "$(readlink /proc/$holder/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do
    tries=$((tries - 1))
    [ $tries -gt 0 ]
    sleep 0.05
done
echo "0 $first 65536" >/proc/$holder/uid_map
echo "0 $first 65536" >/proc/$holder/gid_map
# The namespaces once more, owned by that user namespace: what is mounted above can there be neither moved nor undone.
exec nsenter --user=/proc/$holder/ns/user --setuid 0 --setgid 0 \
    setpriv --pdeathsig KILL unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child -- /bin/sh -euc '
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs /sys
mount -t tmpfs -o "mode=1777,size=$1" tmp /tmp
shift
echo ready >&2
exec "$@"' sh "$room" "$@"
