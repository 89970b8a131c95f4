"""Pick kernel modules out of an Alpine module tree, with what they depend on."""

import fnmatch
import gzip
import lzma
import subprocess
from collections.abc import Iterable
from pathlib import Path


class Modules:
    """A tree lib/modules/VERSION as depmod has left it."""

    def __init__(self, tree: Path):
        self.tree = tree
        self.version = tree.name
        #: path in the tree → paths it needs
        self.needs: dict[str, list[str]] = {}
        for line in (tree / "modules.dep").read_text().splitlines():
            path, _, needs = line.partition(":")
            self.needs[path] = needs.split()
        self._paths = {module_name(path): path for path in self.needs}
        self._builtin = {module_name(line) for line in (tree / "modules.builtin").read_text().splitlines()}

    def find(self, pattern: str) -> list[str]:
        """Return the paths of the modules that match; raise LookupError if the kernel has nothing of that name."""
        wanted = pattern.replace("-", "_")
        found = sorted(path for name, path in self._paths.items() if fnmatch.fnmatchcase(name, wanted))
        if not found and not any(fnmatch.fnmatchcase(name, wanted) for name in self._builtin):
            raise LookupError(f"Kernel {self.version} has no module {pattern}")
        return found

    def closure(self, paths: Iterable[str]) -> list[str]:
        """Return the paths with everything they need, sorted."""
        return sorted({need for path in paths for need in (path, *self.needs[path])})

    def aliases(self, paths: Iterable[str]) -> str:
        """Return the lines of modules.alias that lead to these modules."""
        names = {module_name(path) for path in paths}
        lines = (self.tree / "modules.alias").read_text().splitlines(keepends=True)
        return "".join(line for line in lines if line.split()[-1].replace("-", "_") in names)


def module_name(path: str) -> str:
    """Return the name the kernel gives a module: kernel/fs/nls/nls_utf8.ko.gz is nls_utf8."""
    return Path(path).name.split(".ko")[0].replace("-", "_")


def unpack(path: Path) -> bytes:
    """Return a module's content uncompressed."""
    data = path.read_bytes()
    match path.suffix:
        case ".gz":
            return gzip.decompress(data)
        case ".xz":
            return lzma.decompress(data)
        case ".zst":
            return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
    return data
