"""Chroma's server, in a process that has imported nothing else: what the launcher needs would stay in its memory.

Run as `python -m sparrow.box.chroma_server ARGUMENT…` by sparrow.box.launch; the arguments are Chroma's own.
"""

import signal
import sys

import chromadb_rust_bindings

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # Python's handler would wait for Rust to return
    chromadb_rust_bindings.cli(["chroma", *sys.argv[1:]])
