"""Make Alpine packages and signed repositories, and install from them, with Alpine's own apk.

apk runs on the build host through the base's loader ($STAGES/alpine/apk), never in a chroot: package
scripts run in a chroot that it makes itself.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import stage

APK = stage.STAGES / "alpine/apk"
#: The name under which the repositories made here know their key.
KEY_NAME = "sparrow.rsa"


@dataclass(slots=True)
class Recipe:
    """What a package is made of: a tree of files, and what apk is told about it."""

    name: str
    version: str
    tree: Path
    info: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, Path] = field(default_factory=dict)
    triggers: list[str] = field(default_factory=list)


def signing_key() -> Path:
    """Return the private key of this build directory, made at first need; the public one is beside it."""
    folder = stage.CACHE / "keys"
    private, public = folder / KEY_NAME, folder / f"{KEY_NAME}.pub"
    if not public.is_file():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.umask(0o077)
        stage.run("openssl", "genrsa", "-out", private, "4096")
        stage.run("openssl", "rsa", "-in", private, "-pubout", "-out", public)
        os.umask(0o022)
    return private


def make_package(recipe: Recipe, folder: Path) -> None:
    """Write NAME-VERSION.apk of a recipe into a folder, signed."""
    words: list[object] = ["mkpkg", "--files", recipe.tree, "--sign-key", signing_key()]
    words += ["--output", folder / f"{recipe.name}-{recipe.version}.apk"]
    info = {"name": recipe.name, "version": recipe.version, "arch": stage.ARCH, **recipe.info}
    for key, value in info.items():
        if value:
            words += ["--info", f"{key}:{value}"]
    for kind, script in recipe.scripts.items():
        words += ["--script", f"{kind}:{script}"]
    for path in recipe.triggers:
        words += ["--trigger", path]
    stage.run(APK, *words, quiet=True)


def make_index(folder: Path, description: str) -> None:
    """Write the signed index of the packages in a folder."""
    words = ["--description", description, "--sign-key", signing_key(), "--keys-dir", signing_key().parent]
    stage.run(APK, "mkndx", *words, "--output", folder / "Packages.adb", *sorted(folder.glob("*.apk")), quiet=True)
