#!/bin/sh
# Stage: Add the application to the compressed system
# After: compress app system
# Tools: mksquashfs
#
# Leaves $OUT/root.squashfs, the content of a root partition.
set -eu
. "$SRC/rootfs/lib/stage.sh"

cp "$STAGES/compress/system.squashfs" "$OUT/root.squashfs"
mksquashfs "$STAGES/app/app" "$OUT/root.squashfs" -keep-as-directory -all-root -no-xattrs -no-progress \
	-no-recovery -processors "$JOBS"
progress "root file system of $(($(stat -c %s "$OUT/root.squashfs") / 1000000)) MB"
