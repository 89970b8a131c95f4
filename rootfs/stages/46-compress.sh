#!/bin/sh
# Stage: Compress the system
# After: system
# Tools: mksquashfs
#
# Leaves $OUT/system.squashfs: everything but the application, which a later stage appends,
# so that a change of the application does not compress the rest again.
set -eu
. "$SRC/rootfs/lib/stage.sh"

mksquashfs "$STAGES/system/root" "$OUT/system.squashfs" -comp xz -b 256K -no-xattrs -no-progress \
	-noappend -no-exports -processors "$JOBS"
progress "$(($(stat -c %s "$OUT/system.squashfs") / 1000000)) MB"
