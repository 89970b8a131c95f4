# shellcheck shell=sh
# The verb `shell` of mkimage.sh: the root file system natively, in namespaces and a cgroup of its own. Sourced.
#
#   shell [--data DIR] [--port N] [--serve | COMMAND...]
#
# Tools: unshare unsquashfs
#
# With --serve the whole box runs (supervisord and its programs) on ports of this host: N, and unless the environment
# says otherwise the next one for HTTP and the one after that for Chroma, so that several can run at once. Otherwise
# a command runs, or a shell. What is written outside of /data is lost at the end.

# Runs a shell, a command or the box inside the root that has just been built.
vm_shell() {
	data="$BUILD/native/data" port=8443 serve=
	while [ $# -gt 0 ]; do
		case "$1" in
			--data) data="$2"; shift 2 ;;
			--port) port="$2"; shift 2 ;;
			--serve) serve=yes; shift ;;
			*) break ;;
		esac
	done
	native_root
	mkdir -p "$data" "$BUILD/native/scratch" "$BUILD/native/merged"
	if [ -n "$serve" ]; then set -- sparrow supervise; fi
	[ $# -gt 0 ] || set -- sh -l
	trap - EXIT HUP INT TERM
	# A cgroup, so that memory can be read as the kernel accounts it (version 1 or 2).
	for controller in /sys/fs/cgroup/memory /sys/fs/cgroup; do
		rmdir "$controller"/sparrow-* 2>/dev/null || :  # of earlier ones, which have ended
		if mkdir "$controller/sparrow-$$" 2>/dev/null && echo $$ 2>/dev/null >"$controller/sparrow-$$/cgroup.procs"; then
			break
		fi
	done
	export NATIVE="$BUILD/native" DATA="$data" PORT="$port"
	# shellcheck disable=SC2016  # expanded by the inner shell
	exec unshare -m -p -i -u --fork --kill-child sh -euc '
		mount -t tmpfs -o mode=755 scratch "$NATIVE/scratch"
		mkdir "$NATIVE/scratch/upper" "$NATIVE/scratch/work"
		mount -t overlay -o "lowerdir=$NATIVE/root,upperdir=$NATIVE/scratch/upper,workdir=$NATIVE/scratch/work" \
			overlay "$NATIVE/merged"
		cd "$NATIVE/merged"
		mount -t proc proc proc
		mount --rbind /dev dev
		mount -t tmpfs -o mode=755 run run
		mount -t tmpfs -o mode=1777 tmp tmp
		mount --bind "$DATA" data
		hostname sparrow
		exec chroot . env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-linux}" \
			HOME=/root SPARROW_ADMIN_PASSWORD="${SPARROW_ADMIN_PASSWORD:-}" \
			SPARROW_HTTP_PORT="${SPARROW_HTTP_PORT:-$((PORT + 1))}" SPARROW_HTTPS_PORT="$PORT" \
			SPARROW_CHROMA_PORT="${SPARROW_CHROMA_PORT:-$((PORT + 2))}" "$@"
	' sh "$@"
}

# Unpacks the root file system into $BUILD/native/root, unless it is there already.
native_root() {
	squashfs="$STAGES/squashfs/root.squashfs"
	key=$(cat "$STAGES/squashfs/.key")
	[ "$(cat "$BUILD/native/.key" 2>/dev/null)" != "$key" ] || return 0
	einfo "Unpacking the root file system"
	rm -rf "$BUILD/native/root" "$BUILD/native/.key"
	mkdir -p "$BUILD/native"
	unsquashfs -q -n -d "$BUILD/native/root" "$squashfs" >/dev/null
	printf '%s' "$key" >"$BUILD/native/.key"
}
