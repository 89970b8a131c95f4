"""What is kept free for the day on which the disk is full."""

import os
import subprocess

import pytest

from sparrow.storage import reserve


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A file system of 20 MB, of which half a megabyte is the reserve."""
    monkeypatch.setattr(reserve, "SIZE", 1 << 19)
    monkeypatch.setattr(reserve, "_full_since", None)
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "sparrow-test", tmp_path],
                                      capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def fill(folder) -> None:
    """Write until nothing more can be written."""
    with (folder / "filler").open("ab", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while file.write(bytes(1 << 16)) == 1 << 16:
            pass
        file.write(bytes(1 << 16))


def test_a_full_disk_gets_room_to_delete_and_keeps_a_new_reserve_when_there_is_plenty(small_disk, monkeypatch):
    reserve.keep(small_disk)
    assert (small_disk / "reserve").stat().st_blocks * 512 == 1 << 19
    fill(small_disk)
    reserve.keep(small_disk)
    assert (small_disk / "reserve").exists()  # what fills the disk would take that too
    now = reserve.clock.monotonic()
    monkeypatch.setattr(reserve.clock, "monotonic", lambda: now + reserve.PATIENCE)
    reserve.keep(small_disk)
    assert not (small_disk / "reserve").exists()
    (small_disk / "database").write_bytes(bytes(1 << 18))  # there is room to work with
    reserve.keep(small_disk)
    assert not (small_disk / "reserve").exists()
    (small_disk / "filler").unlink()
    reserve.keep(small_disk)
    assert (small_disk / "reserve").exists()


def test_a_start_with_a_full_disk_does_not_wait(small_disk):
    reserve.keep(small_disk)
    fill(small_disk)
    reserve.keep(small_disk, patience=0)
    assert not (small_disk / "reserve").exists()


def test_a_disk_that_is_not_full_keeps_its_reserve(small_disk):
    reserve.keep(small_disk)
    reserve.keep(small_disk)
    assert (small_disk / "reserve").exists()


def test_a_folder_that_is_not_there_is_no_matter_of_the_reserve(tmp_path):
    reserve.keep(tmp_path / "nowhere")
