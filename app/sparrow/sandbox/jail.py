"""Runs one piece of the user's code in a jail of its own. Started as a script by `port`; standard library only.

The jail: new mount, PID, network, IPC and UTS namespaces (and a user namespace where this process is not root), a
root made of a small tmpfs with the interpreter bound into it, an unprivileged user, no capabilities, no new
privileges, resource limits. It reads one JSON job from standard input and writes one JSON result to standard output.
"""

import ctypes
import json
import os
import resource
import sys

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
BIND, REC, PRIVATE, NOSUID, NODEV, RDONLY, REMOUNT = 4096, 16384, 1 << 18, 2, 4, 1, 32
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Call a function of the C library; raise OSError when it fails."""
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source, target, kind, flags, data=None):
    """Mount a file system."""
    call("mount", source and source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags),
         data and data.encode())


def isolate():
    """Enter new namespaces; return whether a user namespace was needed."""
    spaces = NEWNS | NEWPID | NEWNET | NEWIPC | NEWUTS
    if os.geteuid() == 0:
        call("unshare", spaces)
        return False
    uid, gid = os.geteuid(), os.getegid()
    call("unshare", spaces | NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"65534 {uid} 1"), ("gid_map", f"65534 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return True


def build_root(paths):
    """Make the new root in a tmpfs and enter it; nothing else of the machine stays visible."""
    mount(None, "/", None, REC | PRIVATE)
    os.umask(0o022)  # the code's user must see into the folders made here, whatever the service keeps to itself
    root = "/tmp"
    held = {path: os.open(path, os.O_PATH) for path in paths if os.path.exists(path)}  # before /tmp is covered
    mount("jail", root, "tmpfs", NOSUID | NODEV, "size=16m,nr_inodes=2k,mode=755")
    for path, handle in held.items():
        target = root + path
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
        mount(f"/proc/self/fd/{handle}", target, None, BIND | REC)
        try:
            mount(None, target, None, BIND | REMOUNT | RDONLY | NOSUID | NODEV)
        except OSError:  # flags that a user namespace may not change; the files belong to others anyway
            pass
        os.close(handle)
    for name, mode in (("/tmp", 0o1777), ("/dev", 0o755), ("/proc", 0o555), ("/old", 0o700)):
        os.makedirs(root + name, exist_ok=True)
        os.chmod(root + name, mode)
    for device in ("null", "zero", "urandom"):
        os.close(os.open(f"{root}/dev/{device}", os.O_CREAT | os.O_WRONLY))
        mount(f"/dev/{device}", f"{root}/dev/{device}", None, BIND)
    os.chdir(root)
    number = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
    if libc.syscall(number, b".", b"old") != 0:
        raise OSError(ctypes.get_errno(), "pivot_root")
    os.chdir("/")
    call("umount2", b"/old", 2)
    os.rmdir("/old")


def drop(mapped):
    """Give up every privilege."""
    if not mapped:
        user = 200_000 + int.from_bytes(os.urandom(2), "big")
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    else:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        libc.syscall({"x86_64": 126, "aarch64": 91}[os.uname().machine], header, (ctypes.c_uint32 * 6)())
    call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    forbid()


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32)]


class _Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction))]


def forbid():
    """Refuse system calls that no code node needs: those that kernels have had holes in, and those that take memory
    beyond the limits, which are of one process and its address space (a seccomp filter)."""
    architecture, clone, clone3, numbers = {
        # unshare setns mount umount2 pivot_root ptrace bpf perf_event_open keyctl add_key request_key userfaultfd
        # io_uring_setup process_vm_readv process_vm_writev kexec_load init_module chroot
        # open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
        # memfd_create memfd_secret shmget msgget semget mq_open
        "x86_64": (0xC000003E, 56, 435, (272, 308, 165, 166, 155, 101, 321, 298, 250, 248, 249, 323, 425, 310, 311, 246,
                                         175, 161, 428, 429, 430, 431, 432, 433, 442, 319, 447, 29, 68, 64, 240)),
        "aarch64": (0xC00000B7, 220, 435, (97, 268, 40, 39, 41, 117, 280, 241, 219, 217, 218, 282, 425, 270, 271, 104,
                                           105, 51, 428, 429, 430, 431, 432, 433, 442, 279, 447, 194, 186, 190, 180)),
    }[os.uname().machine]
    # Another architecture ends the process, and so do numbers of x32, which has the same one.
    steps = [(0x20, 0, 0, 4), (0x15, 1, 0, architecture), (0x06, 0, 0, 0), (0x20, 0, 0, 0),
             (0x35, 0, 1, 0x40000000), (0x06, 0, 0, 0)]
    for number in numbers:
        steps += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050001)]  # EPERM
    # The flags of clone3 are out of a filter's sight: without it (ENOSYS), C libraries take clone.
    steps += [(0x15, 0, 1, clone3), (0x06, 0, 0, 0x00050026)]
    steps += [(0x15, 0, 3, clone), (0x20, 0, 0, 16), (0x45, 0, 1, 0x7E020000), (0x06, 0, 0, 0x00050001)]  # CLONE_NEW…
    steps.append((0x06, 0, 0, 0x7FFF0000))
    program = (_Instruction * len(steps))(*[_Instruction(*step) for step in steps])
    call("prctl", 22, 2, ctypes.byref(_Program(len(steps), program)), 0, 0)


def limit(job):
    """Set the resource limits."""
    seconds = int(job["seconds"]) + 1
    limits = [(resource.RLIMIT_CPU, seconds), (resource.RLIMIT_FSIZE, 16 << 20), (resource.RLIMIT_NOFILE, 64),
              (resource.RLIMIT_NPROC, 24), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, job["memory"])]
    for kind, value in limits:
        resource.setrlimit(kind, (value, value))


def python(job, out):
    """Run Python: call `main` with the inputs as keywords."""
    import linecache
    import traceback

    name = "<code>"
    linecache.cache[name] = (len(job["code"]), None, job["code"].splitlines(True), name)
    space = {"__name__": "__code__", "__builtins__": __builtins__}
    try:
        exec(compile(job["code"], name, "exec"), space)
        if not callable(space.get("main")):
            raise NameError("name 'main' is not defined")
        text = json.dumps({"result": space["main"](**job["inputs"])}, ensure_ascii=False)
    except MemoryError:
        space.clear()
        text = json.dumps({"error": f"MemoryError: more than {job['memory'] >> 20} MiB\nerror: exit status 255"})
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != name:
            trace = trace.tb_next
        lines = "".join(traceback.format_exception(type(error), error, trace, chain=False))[-8000:]
        text = json.dumps({"error": f"{lines.rstrip()}\nerror: exit status 1"})
    send(out, text, job)


def send(out, text, job):
    """Write the result, or that it is too long."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > job["output"]:
        text = f"The result is longer than {job['output'] >> 20} MiB\nerror: exit status 255"
        data = json.dumps({"error": text}).encode()
    while data:
        data = data[os.write(out, data):]


# Runs in the JavaScript engine: calls `main` with the inputs and returns a function that tells how that went. There
# is no clock to wait for, so timers fire at once, in the order of their times.
JAVASCRIPT = """
(() => {
  const quiet = () => {}, timers = [];
  let count = 0;
  globalThis.console = {log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet, trace: quiet};
  globalThis.setTimeout = (call, wait = 0, ...rest) => {
    timers.push({id: ++count, at: Number(wait) || 0, call: () => call(...rest)});
    return count;
  };
  globalThis.clearTimeout = (id) => {
    const index = timers.findIndex((timer) => timer.id === id);
    if (index >= 0) timers.splice(index, 1);
  };
  globalThis.setImmediate = (call, ...rest) => setTimeout(call, 0, ...rest);
  return (text) => {
    let reply = null;
    const failed = (error) => {
      const stack = error && error.stack ? '\\n' + error.stack : '';
      reply = JSON.stringify({error: (String(error) + stack).trimEnd().slice(0, 8000) + '\\nerror: exit status 1'});
    };
    Promise.resolve().then(() => main(JSON.parse(text))).then((value) => {
      reply = JSON.stringify({result: value === undefined ? null : value});
    }).catch(failed);
    return () => {
      if (reply !== null) return reply;
      if (!timers.length) { failed(new Error('main waits for something that never comes')); return reply; }
      timers.sort((one, other) => one.at - other.at || one.id - other.id);
      try { timers.shift().call(); } catch (error) { failed(error); }
      return null;
    };
  };
})()
"""


def load(path):
    """Return the JavaScript engine; loaded before the jail is closed, since its file is not in it."""
    from importlib.machinery import ExtensionFileLoader, ModuleSpec

    loader = ExtensionFileLoader("_quickjs", path)
    module = loader.create_module(ModuleSpec("_quickjs", loader, origin=path))
    loader.exec_module(module)
    return module


def javascript(engine, job, out):
    """Run JavaScript: call `main` with one object that holds the inputs; promises are waited for."""
    context = engine.Context()
    context.set_memory_limit(job["memory"] // 4 * 3)
    try:
        start = context.eval(JAVASCRIPT)
        context.eval(job["code"])
        ask = start(json.dumps(job["inputs"]))
        text = None
        while text is None:
            while context.execute_pending_job():
                pass
            text = ask()
    except BaseException as error:
        lines = str(error).rstrip()[-8000:] or type(error).__name__
        text = json.dumps({"error": f"{lines}\nerror: exit status 1"})
    send(out, text, job)


def main():
    """Read the job, build the jail, run the code in it as its first process."""
    job = json.loads(sys.stdin.buffer.read())
    try:  # all its processes together may take more than there is: then the kernel ends these, not the service
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
    engine = load(job["engine"]) if job["language"] == "javascript" else None
    out = os.dup(1)
    empty = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(empty, number)
    try:
        mapped = isolate() if job["isolated"] else None
    except OSError as error:
        send(out, json.dumps({"closed": f"{error}"}), job)
        return
    child = os.fork()
    if child:
        os.close(out)
        os.waitpid(child, 0)
        return
    try:
        call("prctl", 1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG: nothing outlives the parent
        if mapped is not None:
            build_root(job["paths"])
            drop(mapped)
            call("prctl", 1, 9, 0, 0, 0)  # again: another user id has taken it back
        limit(job)
    except (OSError, KeyError) as error:
        send(out, json.dumps({"closed": f"{type(error).__name__}: {error}"}), job)
        os._exit(1)
    os.environ.clear()
    os.environ.update(PATH="/usr/bin:/bin", HOME="/tmp", TMPDIR="/tmp", LANG="C.UTF-8")
    os.chdir("/tmp")
    if out != 3:
        os.dup2(out, 3)
    os.closerange(4, 256)
    if engine is None:
        python(job, 3)
    else:
        javascript(engine, job, 3)
    os._exit(0)


main()
