# shellcheck shell=sh
# What the initramfs and the running box both need: finding partitions. Sourced; $partitions
# names the partition table's file (rootfs/partitions).
# shellcheck disable=SC2154

# Prints column $2 of the row of partition $1: 1 is the type, 2 the GUID, 3 the size in MiB...
column() {
	while read -r name rest; do
		if [ "$name" = "$1" ]; then
			# shellcheck disable=SC2086  # the columns
			set -- "$2" $rest
			shift "$1"
			echo "$1"
			return 0
		fi
	done <"$partitions"
}

# Prints the device of the partition with GUID $1, on disk $2 if that is given.
device() {
	file=$(grep -lix "PARTUUID=$1" /sys/class/block/"${2:-}"*/uevent 2>/dev/null | head -n 1)
	[ -n "$file" ] || return 1
	basename "${file%/uevent}"
}

# Prints the disk that partition $1 is on: sda for sda4, nvme0n1 for nvme0n1p4.
disk_of() {
	basename "$(dirname "$(readlink -f "/sys/class/block/$1")")"
}
