"""Code nodes: what they may do, and everything they may not."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from sparrow.engine.ports import Cancel, CodeLimits
from sparrow.sandbox import port
from sparrow.sandbox.port import CodeExecutionError, Port


def run(code, inputs=None, language="python3", cancel=None, **limits):
    return Port().run(language, code, inputs or {}, CodeLimits(**({"seconds": 8.0} | limits)), cancel or Cancel())


def test_python_runs_with_the_standard_library():
    code = "import json, re, datetime, decimal, hashlib\ndef main(a, b):\n    return {'sum': a + b, 'z': '水'}"
    assert run(code, {"a": 1, "b": 2}) == {"sum": 3, "z": "水"}


@pytest.mark.parametrize("mask", [0o007, 0o077])
def test_runs_under_the_umask_of_a_service(mask):
    before = os.umask(mask)
    try:
        assert run("import json\ndef main():\n    return {'one': 1}") == {"one": 1}
    finally:
        os.umask(before)


@pytest.mark.parametrize(("code", "result"), [
    ("function main({a}) { return {b: a * 2, z: '水'} }", {"b": 8, "z": "水"}),
    ("const main = async ({a}) => { await new Promise((done) => setTimeout(done, 50)); return {b: a} }", {"b": 4}),
    ("function main(args) { console.log(args); return {k: Object.keys(args), n: null, u: undefined} }",
     {"k": ["a"], "n": None}),
    ("class A { get b() { return 2n ** 64n } }\nvar main = () => ({b: String(new A().b)})",
     {"b": "18446744073709551616"}),
    ("function main() {}", None),
])
def test_javascript_runs(code, result):
    assert run(code, {"a": 4}, "javascript") == result


@pytest.mark.parametrize(("code", "error"), [
    ("function main() {\n  throw new Error('boom') }", r"Error: boom\n    at main .*:2:"),
    ("function main( {", "SyntaxError"), ("var x = 1", "main is not defined"),
    ("async function main() { await new Promise(() => {}) }", "never comes"),
    ("function main() { return require('fs').readFileSync('/etc/passwd') }", "ReferenceError"),
    ("function main() { return fetch('http://127.0.0.1') }", "ReferenceError"),
    ("function f() { return f() + 1 }\nconst main = f", "stack|overflow"),
    ("function main() { const all = []; while (true) all.push(new Uint8Array(5e7)) }", "memory|limit"),
    ("function main() { return {x: 'y'.repeat(20e6)} }", "longer than|too long|memory|limit"),
    ("function main() { while (true); }", "longer than 1 s"),
    ("async function main() { while (true) await null; }", "longer than 1 s"),
])
def test_javascript_fails_and_ends(code, error):
    begun = time.monotonic()
    with pytest.raises(CodeExecutionError, match=error):
        run(code, language="javascript", seconds=1.0)
    assert time.monotonic() - begun < 10


def test_a_failure_shows_the_line():
    with pytest.raises(CodeExecutionError) as caught:
        run("def main():\n    return 1 / 0")
    assert "line 2, in main" in str(caught.value)
    assert str(caught.value).splitlines()[-2:] == ["ZeroDivisionError: division by zero", "error: exit status 1"]


def test_starts_fast():
    """CPU seconds, which a busy machine does not change; wall time on a quiet one is about the same."""
    import resource

    run("def main(): return {}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(5):
        run("def main(): return {}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent / 5 < 0.15


@pytest.mark.parametrize("code", [
    "import socket\ndef main():\n    socket.create_connection(('1.1.1.1', 53), 2)",
    "import socket\ndef main():\n    socket.create_connection(('127.0.0.1', PORT), 2)",
    "def main():\n    open('/etc/passwd').read()",
    "def main():\n    open('/usr/lib/x', 'w').write('x')",
    "import os\ndef main():\n    os.setuid(0)",
    "import os\ndef main():\n    os.kill(HOST, 9)",
    "import os\ndef main():\n    os.chroot('/tmp')",
    "import ctypes, os\ndef main():\n    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):\n"
    "        raise PermissionError('unshare')",
    "def main():\n    open('DATA').read()",
    # Namespaces by the other way, and memory that no limit counts.
    "import ctypes, os\ndef main():\n    number = {'x86_64': 56, 'aarch64': 220}[os.uname().machine]\n"
    "    if ctypes.CDLL(None).syscall(number, 0x10000011, 0, 0, 0, 0) < 0:\n        raise PermissionError('clone')\n"
    "    return {}",
    "import os\ndef main():\n    os.memfd_create('x')",
    "import ctypes\ndef main():\n    if ctypes.CDLL(None).shmget(0, 1 << 20, 0o1600) < 0:\n"
    "        raise PermissionError('shmget')",
    "import ctypes\ndef main():\n    if ctypes.CDLL(None).syscall(430, b'tmpfs', 0) < 0:\n"
    "        raise PermissionError('fsopen')",
])
def test_does_not_get_out(code, tmp_path):
    import socket

    secret = tmp_path / "sparrow.db"
    secret.write_text("secret")
    secret.chmod(0o666)
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = code.replace("PORT", str(server.getsockname()[1])).replace("HOST", str(os.getpid()))
        with pytest.raises(CodeExecutionError, match=r"Error: "):
            run(code.replace("DATA", str(secret)))


def test_sees_nothing_of_the_machine():
    found = run("import os\ndef main():\n    return {'env': sorted(os.environ), 'pid': os.getpid(), 'uid': os.getuid(),"
                " 'proc': os.listdir('/proc'), 'fds': [n for n in range(64) if alive(n)]}\n"
                "def alive(n):\n    try:\n        os.fstat(n)\n        return True\n"
                "    except OSError:\n        return False")
    assert found["pid"] == 1
    assert found["uid"] != 0
    assert found["proc"] == []
    assert set(found["env"]) <= {"HOME", "LANG", "PATH", "TMPDIR"}
    assert found["fds"] == [0, 1, 2, 3]


def test_memory_ends():
    with pytest.raises(CodeExecutionError, match="MemoryError"):
        run("def main():\n    return {'n': len(bytearray(1 << 30))}")


def test_time_ends():
    begun = time.monotonic()
    with pytest.raises(CodeExecutionError, match="longer than 1 s"):
        run("def main():\n    while True: pass", seconds=1.0)
    assert time.monotonic() - begun < 10


def test_a_fork_bomb_ends():
    code = ("import os, time\ndef main():\n    n = 0\n    try:\n        while True:\n"
            "            if os.fork() == 0: time.sleep(60)\n            n += 1\n"
            "    except OSError:\n        return {'n': n}")
    assert run(code)["n"] < 64


@pytest.mark.parametrize("code", ["def main():\n    return {'x': 'y' * (20 << 20)}",
                                  "import os\ndef main():\n    for _ in range(2000): os.write(3, b'x' * 65536)"])
def test_output_ends(code):
    with pytest.raises(CodeExecutionError, match=r"longer than|too long|MemoryError|without a result"):
        run(code)


def test_files_end():
    with pytest.raises(CodeExecutionError):
        run("def main():\n    with open('/tmp/x', 'wb') as f:\n        for _ in range(100): f.write(b'x' * (1 << 20))")


def test_what_is_printed_goes_nowhere():
    assert run("def main():\n    for _ in range(100): print('x' * (1 << 20))\n    return {'ok': 1}") == {"ok": 1}


def test_stop_ends_it():
    cancel = Cancel()
    threading.Timer(0.4, cancel.cancel).start()
    begun = time.monotonic()
    with pytest.raises(CodeExecutionError):
        run("import time\ndef main():\n    time.sleep(30)", cancel=cancel)
    assert time.monotonic() - begun < 10


def test_code_that_leaves_its_session_ends_and_is_the_first_to_give_its_memory():
    others = _jails()
    code = "import os, time\ndef main():\n    os.setsid()\n    time.sleep(60)"
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(run, code, seconds=3.0)
        time.sleep(1)
        mine = _jails() - others
        assert len(mine) == 2
        assert [Path(f"/proc/{pid}/oom_score_adj").read_text() for pid in mine] == ["1000\n"] * 2
        with pytest.raises(CodeExecutionError, match="longer than 3 s"):
            ended.result()
    time.sleep(0.5)
    assert not mine & _jails()


def _jails() -> set[str]:
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if port._JAIL.encode() in (folder / "cmdline").read_bytes():
                found.add(folder.name)
    return found
