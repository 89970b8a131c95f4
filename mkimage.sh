#!/bin/sh
#---help---
# Usage: mkimage.sh [OPTIONS] [build | run | shell [COMMAND...] | clean [--all]]
#
# Assembles Sparrow's disk image: Alpine Linux, the application and everything
# it needs, from signed package repositories and hash-locked Python wheels.
# Needs root on Debian 12 or Alpine; no Docker, no KVM, no loop devices. Missing
# host tools are named and installed with the system's own package manager.
#
# Verbs:
#   build                  Make the image (the default). What has not changed since
#                          the last build is taken from the cache.
#   run                    Build, boot the image in QEMU with forwarded ports, and
#                          print the address, fingerprint and setup code.
#   shell [COMMAND...]     Build, then run COMMAND (or a shell) inside the same root
#                          file system natively, by namespaces and chroot.
#   clean [--all]          Remove what was built; with --all the downloads, too.
#
# Options and the environment variables that set the same:
#   -r --repository URL|DIR  APK_REPOSITORIES  An Alpine package repository; may be
#                            repeated. With none, Alpine's mirror is tried, and if it
#                            cannot be reached, a repository made here is used.
#   -k --keys DIR            KEYS_DIR          Public keys (*.pub) that the named
#                            repositories are signed with, on top of Alpine's own.
#      --offline             OFFLINE=yes       Do not try Alpine's mirror.
#   -o --output DIR          OUTPUT_DIR        Where the image is put
#                            (default: build/output).
#   -b --build-dir DIR       BUILD_DIR         Working files and cache (default: build).
#   -s --stop-after STAGE    STOP_AFTER        End after this stage, e.g. "root".
#   -n --no-cleanup          NO_CLEANUP=yes    Keep a failed stage's files to look at.
#   -y --no-install          NO_INSTALL=yes    Do not install missing host tools: only
#                            name them and stop.
#   -v --verbose             VERBOSE=yes       Show what each stage prints.
#   -h --help                                  Show this text.
#      --version                               Show the version.
#---help---
#
# Stages
# ------
# `build` runs the numbered files rootfs/stages/NN-NAME.{sh,py} in order. A stage is
# a program that is run from the repository's top with these variables set:
#
#   SRC      the repository's top            BUILD    the build directory
#   OUT      an empty directory of its own   STAGES   outputs of the finished stages:
#   CACHE    downloads, kept by `clean`               stage NN-NAME left $STAGES/NAME/
#   TMPDIR   scratch, removed afterwards     ARCH, VERSION, SOURCE_DATE_EPOCH, JOBS
#   APK_REPOSITORIES, KEYS_DIR               PYTHONPATH ($SRC/rootfs/lib)
#
# It writes only below $OUT, $CACHE and $TMPDIR. When it succeeds, $OUT is renamed to
# $STAGES/NAME; when it fails or is interrupted, $OUT is removed: an output is there
# whole or not at all. Files below $OUT/publish/ are deliverables: they are placed in
# --output DIR at the end and listed in its SHA256SUMS.
#
# Header comments of a stage tell the driver what it needs (each may be repeated):
#
#   # Stage: TEXT            what it does, shown as progress
#   # After: NAME...         stages whose outputs it reads
#   # Input: PATH...         files, directories or globs, relative to the top
#   # Env: NAME...           variables of the list above (or others) its output depends on
#   # Tools: COMMAND...      host commands; rootfs/host-tools names their packages
#
# A stage runs again only if the hash of these changes: itself, what it uses of
# rootfs/lib, its inputs, its variables' values and the same hash of each stage it comes after.
#
# Output goes to $BUILD/log/NAME.log. `. "$SRC/rootfs/lib/stage.sh"` (or, in Python,
# `import stage`) gives what a stage needs to talk to the person who is waiting:
# progress TEXT, die TEXT [HINT].
#
# Well-known outputs: $STAGES/alpine/apk (runs Alpine's apk on this host),
# $STAGES/root/root (what was installed, with /boot), $STAGES/system/root (the box's root
# file system without the application), $STAGES/app/app (the application, which is /app on
# the box), $STAGES/squashfs/root.squashfs (both, compressed). The verbs `run` and `shell`
# are rootfs/vm/run.sh and shell.sh.
set -eu

PROGNAME='mkimage.sh'
SRC=$(cd "$(dirname "$0")" && pwd -P)
readonly PROGNAME SRC

# Alpine's release that is built on, and its official mirror.
readonly ALPINE_BRANCH='v3.23'
readonly ALPINE_MIRROR="https://dl-cdn.alpinelinux.org/alpine/$ALPINE_BRANCH"
# Free space a build from nothing needs, in MiB.
readonly NEEDS_MIB=4096

child=''  # process (and group) id of the stage that is running

. "$SRC/rootfs/lib/stage.sh"
. "$SRC/rootfs/lib/host.sh"

#============================  H e l p e r s  ============================#

# Says whether directory $1 holds stage output that was made with key $2.
built() {
	[ -f "$1/.key" ] && [ "$(cat "$1/.key")" = "$2" ]
}

# Ends what is running and removes what is unfinished. Runs at every exit.
cleanup() {
	status=$?
	set +eu
	trap - EXIT
	trap '' HUP INT TERM
	if [ -n "$child" ]; then
		kill -s TERM -- "-$child" 2>/dev/null
		# Some take their time to tidy up, which there is no need for.
		(sleep 2 && kill -s KILL -- "-$child") 2>/dev/null 9>&- &
		wait "$child" 2>/dev/null
	fi
	if [ "$NO_CLEANUP" = yes ]; then
		[ -d "$BUILD/unfinished" ] && einfo "Kept for you to look at: $BUILD/unfinished"
	elif [ -n "${lock_held:-}" ]; then
		rm -rf "$BUILD/unfinished" "$BUILD/tmp"
	fi
	exit "$status"
}

# Prints the stage files in order.
each_stage() {
	find "$SRC/rootfs/stages" -name '[0-9][0-9]-*.*' | LC_ALL=C sort
}

# Prints the values of header $2 ("After", "Input", ...) of stage file $1.
header() {
	sed -n "1,/^[^#]/s/^# $2: *//p" "$1"
}

# Prints the help text: the comment between the markers.
help() {
	sed -n '/^#---help---/,/^#---help---/p' "$0" | sed 's/^# \{0,1\}//; /^---help/d; /^#---/d'
}

# Prints the SHA-256 of the files, directories and globs "$@", relative to the top: of their names, modes and content.
# shellcheck disable=SC2048,SC2086  # globs are meant to be expanded
hash_inputs() {
	(
		cd "$SRC"
		set +f
		# Two processes for all files, not for each: a build with nothing changed takes as long as this.
		find_inputs l $* | xargs -0 -r stat -c '%N'
		find_inputs f $* | xargs -0 -r stat -c '%n %a'
		find_inputs f $* | xargs -0 -r sha256sum
	) | sha256sum | cut -d' ' -f1
}

# Prints the files of type $1 (f or l, as find has it) under the paths after it, sorted, each ended by a NUL.
find_inputs() {
	type=$1
	shift
	for path in "$@"; do
		[ -e "$path" ] || continue
		find "$path" \( -name __pycache__ -o -name node_modules -o -name '*.egg-info' \) -prune \
			-o -type "$type" -print
	done | LC_ALL=C sort -u | tr '\n' '\0'
}

# Prints the modules of rootfs/lib that stage file $1 uses.
libraries_of() {
	case "$1" in
		*.py)
			for module in stage $(sed -n 's/^import \([a-z_]*\)$/\1/p' "$1"); do
				echo "rootfs/lib/$module.py"
			done
			;;
		*) echo rootfs/lib/stage.sh ;;
	esac
}

# Waits for the lock on the build directory, so that two builds never mix.
lock_build() {
	mkdir -p "$BUILD/log" "$CACHE" "$STAGES"
	exec 9>"$BUILD/.lock"
	if ! flock -n 9; then
		einfo "Another build uses $BUILD; waiting for it to end"
		flock 9
	fi
	lock_held=yes
	rm -rf "$BUILD/unfinished" "$BUILD/tmp"
}

# Places the deliverables of all stages in the output directory, with SHA256SUMS.
publish() {
	mkdir -p "$OUTPUT_DIR" "$BUILD/tmp"
	# What is there already is not compared or summed again: it is more than a gigabyte.
	if [ "$(published)" != "$(cat "$BUILD/published" 2>/dev/null)" ]; then
		rm -f "$BUILD/published"
		sums="$BUILD/tmp/SHA256SUMS"
		: >"$sums"
		for file in "$STAGES"/*/publish/*; do
			[ -f "$file" ] || continue
			name=${file##*/}
			if [ ! -f "$OUTPUT_DIR/$name" ] || ! cmp -s "$file" "$OUTPUT_DIR/$name"; then
				cp --sparse=always "$file" "$OUTPUT_DIR/.$name.part" 2>/dev/null || cp "$file" "$OUTPUT_DIR/.$name.part"
				mv "$OUTPUT_DIR/.$name.part" "$OUTPUT_DIR/$name"
			fi
			(cd "$OUTPUT_DIR" && sha256sum "$name") >>"$sums"
		done
		[ -s "$sums" ] || return 0
		LC_ALL=C sort -k2 "$sums" >"$OUTPUT_DIR/.SHA256SUMS.part"
		mv "$OUTPUT_DIR/.SHA256SUMS.part" "$OUTPUT_DIR/SHA256SUMS"
		published >"$BUILD/published"
	fi
	einfo "Done: $OUTPUT_DIR"
	# shellcheck disable=SC2012  # sizes for people, names are ours
	ls -lh "$OUTPUT_DIR" | awk 'NR > 1 { printf "    %6s  %s\n", $5, $NF }' >&2
}

# Prints what tells whether the deliverables are as they were placed: keys of the stages, sizes and times of the files.
published() {
	for stage in "$STAGES"/*/publish; do
		[ -d "$stage" ] || continue
		cat "${stage%/publish}/.key"
	done
	stat -c '%n %s %Y %i' "$OUTPUT_DIR"/* 2>/dev/null || :
}

# Runs stage file $1 as number $2 of $3, unless its output is up to date.
run_stage() {
	file="$1" number="$2" count="$3"
	name=$(stage_name "$file")
	title=$(header "$file" Stage)
	for other in $(header "$file" After); do
		eval "[ -n \"\${key_$(printf %s "$other" | tr - _):-}\" ]" ||
			die "Stage $name comes after $other, which has not run before it" "See the headers in rootfs/stages"
	done
	key=$(stage_key "$file")
	eval "key_$(printf %s "$name" | tr - _)=\$key"
	if built "$STAGES/$name" "$key"; then
		einfo "[$number/$count] $title: unchanged"
		return 0
	fi
	einfo "[$number/$count] $title"
	started=$(date +%s)
	OUT="$BUILD/unfinished/$name" TMPDIR="$BUILD/tmp/$name"
	mkdir -p "$OUT" "$TMPDIR"
	export OUT TMPDIR
	start_stage "$file" "$BUILD/log/$name.log"
	if wait "$child"; then
		child=''
	else
		child=''
		explain_failure "$name" "$BUILD/log/$name.log"
	fi
	printf '%s\n' "$key" >"$OUT/.key"
	rm -rf "${STAGES:?}/$name" "$TMPDIR"
	mv "$OUT" "$STAGES/$name"
	einfo "[$number/$count] took $(($(date +%s) - started)) s"
}

# Prints the hash of everything that stage file $1 depends on.
stage_key() {
	{
		sha256sum <"$1"
		# shellcheck disable=SC2046  # a list of paths
		hash_inputs $(libraries_of "$1") $(header "$1" Input)
		for name in $(header "$1" Env) ARCH SOURCE_DATE_EPOCH; do
			eval "printf '%s=%s\n' \"\$name\" \"\${$name:-}\""
		done
		for name in $(header "$1" After); do
			eval "printf '%s=%s\n' \"\$name\" \"\$key_$(printf %s "$name" | tr - _)\""
		done
	} | sha256sum | cut -d' ' -f1
}

# Prints the name of stage file $1: 40-root.py is "root".
stage_name() {
	basename "$1" | sed 's/^[0-9]*-//; s/\.[a-z]*$//'
}

# Starts stage file $1 in its own process group, its output going to log file $2.
start_stage() {
	case "$1" in
		*.py) set -- python3 "$1" "$2" ;;
		*) set -- sh "$1" "$2" ;;
	esac
	cd "$SRC"
	if [ "$VERBOSE" = yes ]; then
		setsid "$1" "$2" 9>&- &
	else
		setsid "$1" "$2" >"$3" 2>&1 9>&- &
	fi
	child=$!
}

#============================  V e r b s  ============================#

# Runs the stages, then places the deliverables.
build() {
	require_root
	require_host_tools
	lock_build
	require_space "$BUILD" "$NEEDS_MIB"
	choose_repositories
	export SRC BUILD STAGES CACHE ARCH VERSION SOURCE_DATE_EPOCH JOBS
	export APK_REPOSITORIES KEYS_DIR
	export PYTHONPATH="$SRC/rootfs/lib" PYTHONDONTWRITEBYTECODE=1 LC_ALL=C TZ=UTC
	umask 022
	count=$(each_stage | wc -l) number=0
	for stage in $(each_stage); do
		number=$((number + 1))
		run_stage "$stage" "$number" "$count"
		[ "$(stage_name "$stage")" != "$STOP_AFTER" ] || return 0
	done
	publish
}

# Removes what was built; with --all the downloads, too.
clean() {
	lock_build
	for path in stages log tmp unfinished root vm output published; do
		rm -rf "${BUILD:?}/$path"
	done
	if [ "${1:-}" = --all ]; then
		rm -rf "$BUILD"
		einfo "Removed $BUILD"
	else
		einfo "Removed what was built; the downloads stay in $CACHE (clean --all removes them)"
	fi
}

#============================  M a i n  ============================#

: "${APK_REPOSITORIES:=}"
: "${ARCH:=x86_64}"
: "${BUILD_DIR:=$SRC/build}"
: "${JOBS:=$(nproc)}"
: "${KEYS_DIR:=}"
: "${NO_CLEANUP:=no}"
: "${NO_INSTALL:=no}"
: "${OFFLINE:=no}"
: "${OUTPUT_DIR:=}"
: "${SOURCE_DATE_EPOCH:=$(cat "$SRC/rootfs/lock/date")}"
: "${STOP_AFTER:=}"
: "${VERBOSE:=no}"
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' "$SRC/pyproject.toml")

while [ $# -gt 0 ]; do
	case "$1" in
		-r | --repository | -k | --keys | -o | --output | -b | --build-dir | -s | --stop-after)
			[ $# -ge 2 ] || die "$1 needs a value" "See $PROGNAME --help"
			;;
	esac
	case "$1" in
		-r | --repository) APK_REPOSITORIES="$APK_REPOSITORIES $2"; shift 2 ;;
		-k | --keys) KEYS_DIR="$2"; shift 2 ;;
		-o | --output) OUTPUT_DIR="$2"; shift 2 ;;
		-b | --build-dir) BUILD_DIR="$2"; shift 2 ;;
		-s | --stop-after) STOP_AFTER="$2"; shift 2 ;;
		-n | --no-cleanup) NO_CLEANUP=yes; shift ;;
		-y | --no-install) NO_INSTALL=yes; shift ;;
		-v | --verbose) VERBOSE=yes; shift ;;
		--offline) OFFLINE=yes; shift ;;
		-h | --help) help; exit 0 ;;
		--version) echo "$VERSION"; exit 0 ;;
		--) shift; break ;;
		-*) die "Unknown option $1" "See $PROGNAME --help" ;;
		*) break ;;
	esac
done
verb="${1:-build}"
[ $# -eq 0 ] || shift

case "$BUILD_DIR" in /*) ;; *) BUILD_DIR="$PWD/$BUILD_DIR" ;; esac
BUILD="$BUILD_DIR" STAGES="$BUILD_DIR/stages" CACHE="$BUILD_DIR/cache"
: "${OUTPUT_DIR:=$BUILD/output}"
case "$OUTPUT_DIR" in /*) ;; *) OUTPUT_DIR="$PWD/$OUTPUT_DIR" ;; esac

exec 3>&2
trap cleanup EXIT
trap 'exit 129' HUP
trap 'echo >&2; einfo "Interrupted: removing what is unfinished"; exit 130' INT
trap 'exit 143' TERM

case "$verb" in
	build) build ;;
	clean) clean "$@" ;;
	run | shell)
		build
		# shellcheck source=/dev/null
		. "$SRC/rootfs/vm/$verb.sh"
		"vm_$verb" "$@"
		;;
	*) die "Unknown verb $verb" "Verbs are build, run, shell and clean; see $PROGNAME --help" ;;
esac
