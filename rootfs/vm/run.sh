# shellcheck shell=sh
# The verb `run` of mkimage.sh: boots the built image in QEMU. Sourced; everything else is run.py.
# Tools: qemu-system-x86_64 /usr/share/OVMF/OVMF_CODE.fd mcopy

# Boots the image that has just been built, with the options of `run` ($@).
vm_run() {
	image=$(find "$OUTPUT_DIR" -maxdepth 1 -name '*.img' | sort | tail -n 1)
	[ -n "$image" ] || die "There is no image in $OUTPUT_DIR" "Build it: $PROGNAME build"
	trap - EXIT HUP INT TERM
	exec 9>&-  # the machine has a disk of its own: others may build meanwhile
	exec python3 "$SRC/rootfs/vm/run.py" --image "$image" --folder "$BUILD/vm" "$@"
}
