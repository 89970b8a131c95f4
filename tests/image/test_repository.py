"""The mirror path, for real: packages over HTTP, with signatures on; and what is wrong with repositories."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest

from .builder import ORDINARY, Build, copy_of, flip_byte, prepare, served

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(1800)]

APK = ORDINARY / "stages/alpine/apk"
NOTHING_DONE = ("root", "system", "squashfs")


@pytest.fixture(scope="module")
def made():
    """Return the repository that an offline build makes, and the folder with its public key."""
    prepare("packages")
    packages = ORDINARY / "stages/packages"
    return packages / "alpine", packages / "keys"


@pytest.fixture(scope="module")
def build(made, tmp_path_factory):
    """Return a build directory with a signing key of its own, where what comes before apk is ready."""
    build = Build(tmp_path_factory.mktemp("build"))
    build.take("parts", "alpine", "native", cache=("parts", "debian"))
    return build


def stop(build: Build, *arguments: str) -> str:
    """Run a build that must fail before anything is installed; return what it said."""
    done = build.run(*arguments, "--stop-after", "root", "build")
    assert done.returncode == 1, done.stdout
    assert "ERROR" in done.stdout
    for name in NOTHING_DONE:
        assert not (build.stages / name).exists(), f"{name} was left half-done"
    assert not (build.folder / "unfinished").exists()
    assert not (build.folder / "tmp").exists()
    return done.stdout


def resign(repository, key=None) -> None:
    """Write a new index of a repository, signed with a key or not at all."""
    index = repository / "x86_64/Packages.adb"
    index.unlink()
    words = ["--sign-key", str(key)] if key else []
    packages = sorted(str(path) for path in index.parent.glob("*.apk"))
    subprocess.run([APK, "mkndx", "--allow-untrusted", *words, "--output", index, *packages], check=True)


def new_key(folder):
    """Make a key pair; return the private key."""
    folder.mkdir()
    key = folder / "stranger.rsa"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", f"{key}.pub"], check=True, capture_output=True)
    return key


def test_an_unsigned_repository_stops_the_build(build, made, tmp_path):
    repository = copy_of(made[0], tmp_path / "unsigned")
    resign(repository)
    with served(repository) as (address, _):
        said = stop(build, "--repository", address, "--keys", str(made[1]))
    assert "not signed with a key that is trusted" in said
    assert "--keys" in said


def test_a_repository_signed_by_a_stranger_stops_the_build(build, made, tmp_path):
    repository = copy_of(made[0], tmp_path / "stranger")
    resign(repository, new_key(tmp_path / "keys"))
    with served(repository) as (address, _):
        said = stop(build, "--repository", address, "--keys", str(made[1]))
    assert "not signed with a key that is trusted" in said


def test_without_its_key_a_good_repository_is_not_trusted(build, made):
    with served(made[0]) as (address, _):
        said = stop(build, "--repository", address)
    assert "not signed with a key that is trusted" in said
    assert "--keys" in said


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_one_changed_byte_in_a_package_stops_the_build(build, made, tmp_path, where):
    repository = copy_of(made[0], tmp_path / "tampered")
    flip_byte(next((repository / "x86_64").glob("busybox-1*.apk")), where)
    with served(repository) as (address, _):
        said = stop(build, "--repository", address, "--keys", str(made[1]))
    assert "altered" in said


@pytest.mark.parametrize("where", [0.2, 0.5, 0.95])
def test_one_changed_byte_in_the_index_stops_the_build(build, made, tmp_path, where):
    repository = copy_of(made[0], tmp_path / "index")
    flip_byte(repository / "x86_64/Packages.adb", where)
    with served(repository) as (address, _):
        said = stop(build, "--repository", address, "--keys", str(made[1]))
    assert "altered" in said or "not signed with a key that is trusted" in said


def test_a_local_repository_is_checked_as_well(build, made, tmp_path):
    repository = copy_of(made[0], tmp_path / "local")
    flip_byte(next((repository / "x86_64").glob("musl-1*.apk")))
    said = stop(build, "--repository", str(repository), "--keys", str(made[1]))
    assert "altered" in said


def test_a_repository_without_what_is_needed(build, made, tmp_path):
    repository = copy_of(made[0], tmp_path / "lacking")
    next((repository / "x86_64").glob("sparrow-caddy-*.apk")).unlink()
    private = new_key(tmp_path / "keys")
    resign(repository, private)
    shutil.copy(next(made[1].glob("*.pub")), private.parent)
    said = stop(build, "--repository", str(repository), "--keys", str(private.parent))
    assert "lack packages" in said
    assert "caddy" in said


def test_an_unknown_directory(build):
    said = stop(build, "--repository", "/nonexistent/alpine")
    assert "/nonexistent/alpine does not exist" in said


def test_an_address_where_nobody_answers(build):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        said = stop(build, "--repository", f"http://127.0.0.1:{unused.getsockname()[1]}/v3.23/main")
    assert "cannot be reached" in said
    assert "without --repository" in said


def test_an_address_that_is_no_repository(build, tmp_path):
    with served(tmp_path) as (address, _):
        said = stop(build, "--repository", address)
    assert "is not an Alpine repository" in said


def test_keys_that_are_not_there(build, made, tmp_path):
    said = stop(build, "--repository", str(made[0]), "--keys", str(tmp_path))
    assert "no *.pub files" in said


def test_the_root_is_built_from_an_address(build, made):
    """Runs last: its output stays."""
    if (ORDINARY / "cache/wheels-3.13").is_dir():
        build.take(cache=("wheels-3.13",))
    with served(made[0]) as (address, asked):
        done = build.run("--repository", address, "--keys", str(made[1]), "--stop-after", "root", "build")
    assert done.returncode == 0, done.stdout
    assert any(path.endswith("Packages.adb") for path in asked)
    assert any("/linux-virt-" in path for path in asked), "the packages were not fetched from the address"
    root = build.stages / "root/root"
    installed = (root / "lib/apk/db/installed").read_text()
    for package in ("musl", "busybox", "openrc", "linux-virt", "sparrow-python", "sparrow-chroma"):
        assert f"\nP:{package}\n" in installed
    program = "import ssl, ctypes, numpy, pysqlite3, chromadb_rust_bindings; print(pysqlite3.sqlite_version)"
    said = subprocess.run(["chroot", root, "python3", "-c", program], capture_output=True, text=True, check=True)
    assert tuple(map(int, said.stdout.split("."))) >= (3, 51, 3)
    assert not list(root.rglob("*quicksand*")), "something of the sandbox image is left"
