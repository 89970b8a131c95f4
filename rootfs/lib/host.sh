# shellcheck shell=sh
# What mkimage.sh asks of the machine it runs on: root, tools, space, repositories.
# Sourced by mkimage.sh, whose variables and helpers it uses.
# shellcheck disable=SC2154  # SRC, BUILD, OFFLINE... are set by mkimage.sh

# Finds out which repositories to install from and leaves them in APK_REPOSITORIES:
# index addresses, one a word, each followed by "#" and the hash of the index; or the
# word "offline", for the repository that is made here. KEYS_HASH stands for the keys.
choose_repositories() {
	export KEYS_HASH=''
	if [ -n "$KEYS_DIR" ]; then
		ls "$KEYS_DIR"/*.pub >/dev/null 2>&1 ||
			die "There are no *.pub files in $KEYS_DIR" "Name the directory that holds the repositories' public keys"
		KEYS_DIR=$(cd "$KEYS_DIR" && pwd -P)
		KEYS_HASH=$(cat "$KEYS_DIR"/*.pub | sha256sum)
	fi
	if [ -n "${APK_REPOSITORIES# }" ]; then
		# shellcheck disable=SC2086  # a list of words
		APK_REPOSITORIES=$(python3 "$SRC/rootfs/lib/repositories.py" probe "$ARCH" $APK_REPOSITORIES) || exit 1
	elif [ "$OFFLINE" != yes ] && APK_REPOSITORIES=$(python3 "$SRC/rootfs/lib/repositories.py" try "$ARCH" \
		"$ALPINE_MIRROR/main" "$ALPINE_MIRROR/community"); then
		einfo "Installing from Alpine's mirror ($ALPINE_BRANCH)"
	else
		[ "$OFFLINE" = yes ] || einfo "Alpine's mirror cannot be reached from here"
		einfo "Installing from a signed repository made here of packages from PyPI and Debian"
		APK_REPOSITORIES=offline
	fi
	# For stages to which it only matters whether Alpine's packages have to be made here.
	export APK_OFFLINE=no
	[ "$APK_REPOSITORIES" != offline ] || APK_OFFLINE=yes
}

# Says why stage $1 failed, as far as it has not said so itself (log file $2), and ends.
explain_failure() {
	if [ ! -e "$TMPDIR/.explained" ]; then
		if [ "$(free_mib "$BUILD")" -lt 64 ]; then
			die "No space is left on $(mount_point "$BUILD")" "Free some there, or name another place with --build-dir; then start again"
		fi
		if [ "$VERBOSE" != yes ]; then
			einfo "The last lines of $2:"
			tail -n 20 "$2" | sed 's/^/    | /' >&3
		fi
		die "Stage $1 failed" "The whole of its output is in $2"
	fi
	exit 1
}

# Prints how many MiB are free where directory $1 is.
free_mib() {
	df -Pm "$1" | awk 'NR == 2 { print $4 }'
}

# Installs packages "$@" with the package manager of this system.
install_packages() {
	if command -v apt-get >/dev/null; then
		export DEBIAN_FRONTEND=noninteractive
		# A list that is already there is tried first: asking for a new one takes time.
		apt-get install -y -q --no-install-recommends "$@" >"$BUILD/log/host-tools.log" 2>&1 ||
			{ apt-get update -q && apt-get install -y -q --no-install-recommends "$@"; } >>"$BUILD/log/host-tools.log" 2>&1
	elif command -v apk >/dev/null; then
		apk add "$@" >"$BUILD/log/host-tools.log" 2>&1
	else
		die "This system has neither apt-get nor apk" "Install by hand what provides: $*"
	fi
}

# Prints the commands that the stages and the verb need and this machine lacks.
missing_tools() {
	for stage in $(each_stage) "$SRC/rootfs/vm/$verb.sh"; do
		[ -f "$stage" ] && header "$stage" Tools
	done | tr ' ' '\n' | LC_ALL=C sort -u | while IFS= read -r tool; do
		case "$tool" in
			'') ;;
			/*) [ -e "$tool" ] || echo "$tool" ;;
			musl-gcc) [ -f /etc/alpine-release ] || command -v "$tool" >/dev/null || echo "$tool" ;;
			py:*) python3 -c "import ${tool#py:}" 2>/dev/null || echo "$tool" ;;
			*) command -v "$tool" >/dev/null || echo "$tool" ;;
		esac
	done
}

# Prints the mount point that directory $1 is on.
mount_point() {
	df -P "$1" | awk 'NR == 2 { print $6 }'
}

# Prints the lines of $1 as one, with spaces.
one_line() {
	printf '%s\n' "$1" | tr '\n' ' ' | sed 's/ *$//'
}

# Prints the names of this system's packages that provide tools "$@".
packages_of() {
	if command -v apt-get >/dev/null; then column=2; else column=3; fi
	for tool in "$@"; do
		package=$(awk -v tool="$tool" -v column="$column" '$1 == tool { print $column }' "$SRC/rootfs/host-tools")
		[ -n "$package" ] || die "rootfs/host-tools does not say which package provides $tool"
		[ "$package" = - ] || echo "$package" | tr ',' '\n'
	done | LC_ALL=C sort -u
}

# Makes sure that every tool is there, installing what is missing after saying so.
require_host_tools() {
	# Debian keeps some of them where only a login shell of root looks.
	PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
	mkdir -p "$BUILD/log"
	missing=$(missing_tools)
	[ -n "$missing" ] || return 0
	# shellcheck disable=SC2086  # a list of words
	packages=$(packages_of $missing) || exit 1
	einfo "This machine lacks $(one_line "$missing")"
	[ "$NO_INSTALL" != yes ] || die "Host tools are missing" "Install $(one_line "$packages")"
	einfo "Installing $(one_line "$packages")"
	# shellcheck disable=SC2086  # a list of words
	install_packages $packages ||
		die "The host tools could not be installed" \
			"See $BUILD/log/host-tools.log, or install by hand: $(one_line "$packages")"
	missing=$(missing_tools)
	[ -z "$missing" ] || die "Still missing after installing packages: $(one_line "$missing")"
}

# Ends unless root runs this: file owners and chroot need it.
require_root() {
	[ "$(id -u)" -eq 0 ] || die "$PROGNAME needs root, for file owners and chroot" "Try: sudo $0 $verb"
}

# Ends unless $2 MiB are free where directory $1 is, or a build is already there.
require_space() {
	[ ! -d "$STAGES/squashfs" ] || return 0
	[ "$(free_mib "$1")" -ge "$2" ] ||
		die "$(mount_point "$1") has $(free_mib "$1") MiB free; a first build needs $2 MiB" \
			"Free some there, or name another place with --build-dir"
}
