"""What this installation is told from outside: environment, then `config/sparrow.toml`, then defaults.

Every field of `Settings` may be set as `SPARROW_<FIELD>` in the environment or as `<field>` in the file on
the data partition. The environment wins, so that a test or a developer can override a box. Empty means "not
set".
"""

from __future__ import annotations

import os
import sys
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from sparrow import __version__
from sparrow.errors import SparrowError

PREFIX = "SPARROW_"
_LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingsError(SparrowError):
    """A setting makes no sense; the message names it, where it came from and what is allowed."""

    code, status = "invalid_setting", 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one installation; frozen, so that every part of a process sees the same.

    Ports are TCP ports; `bind` is the address Caddy listens on ("" for all). `home_dir` holds
    supervisord.conf, caddy/ and the built console.
    """

    data_dir: Path
    run_dir: Path
    home_dir: Path
    web_dir: Path
    database_url: str = field(repr=False)  # may hold a password, as the next two
    redis_url: str = field(repr=False)
    chroma_url: str = field(repr=False)
    chroma_port: int
    drop_dir: Path  # documents put here are taken into knowledge bases
    media_dir: Path  # where USB sticks are mounted, one folder each
    bind: str = ""
    http_port: int = 80
    https_port: int = 443
    hostname: str = "sparrow"
    hostnames: tuple[str, ...] = ()
    admin_password: str | None = field(default=None, repr=False)
    language: str = "zh"
    rag: bool = True
    api_threads: int = 64
    api_workers: int = 1
    max_upload_mb: int = 1024
    attachment_image_file_size_limit: int = 2  # MB, of an image bound to a passage
    log_level: str = "info"
    dev: bool = False
    version: str = __version__

    # Where things are. Folders on the data partition are made by `sparrow.box.layout`.

    @property
    def db_dir(self) -> Path:
        """The SQLite database and its write-ahead log."""
        return self.data_dir / "db"

    @property
    def files_dir(self) -> Path:
        """Uploaded and generated files."""
        return self.data_dir / "files"

    @property
    def chroma_dir(self) -> Path:
        """Chroma's own folder; only its server opens it."""
        return self.data_dir / "chroma"

    @property
    def models_dir(self) -> Path:
        """Local models added by the admin."""
        return self.data_dir / "models"

    @property
    def config_dir(self) -> Path:
        """Settings, keys, the setup code and the flags of programs that are wanted."""
        return self.data_dir / "config"

    @property
    def config_file(self) -> Path:
        """The file these settings are read from, below the environment."""
        return self.config_dir / "sparrow.toml"

    @property
    def tls_dir(self) -> Path:
        """The box's certificate authority and its server certificate."""
        return self.data_dir / "tls"

    @property
    def backups_dir(self) -> Path:
        """Backups and snapshots."""
        return self.data_dir / "backups"

    @property
    def temp_dir(self) -> Path:
        """Files of a moment, such as what a browser is just sending: not in memory, which is small. Emptied at the
        start."""
        return self.data_dir / "tmp"

    @property
    def log_dir(self) -> Path:
        """The small rotated logs that survive a reboot; the rings are in `run_dir/log`."""
        return self.data_dir / "log"

    @property
    def public_dir(self) -> Path:
        """Pages Caddy serves by itself: the certificate, and the one shown while the API is away."""
        return self.run_dir / "public"

    @property
    def api_socket(self) -> Path:
        """The Unix socket of the API."""
        return self.run_dir / "api.sock"

    @property
    def redis_socket(self) -> Path:
        """The Unix socket of the Redis this box runs itself."""
        return self.run_dir / "redis.sock"

    @property
    def control_socket(self) -> Path:
        """The Unix socket on which the screen program tells and changes the state of programs."""
        return self.run_dir / "control.sock"

    @property
    def supervisor_socket(self) -> Path:
        """The Unix socket of supervisord; only the screen program may open it."""
        return self.run_dir / "supervisor.sock"

    @property
    def setup_code_file(self) -> Path:
        """The code that proves a first visitor can see the box's screen; gone once an admin exists."""
        return self.config_dir / "setup-code"

    def wanted_flag(self, program: str) -> Path:
        """The file whose existence asks for a program that is not always on ("chroma", "llm")."""
        return self.config_dir / "wanted" / program

    @property
    def own_redis(self) -> bool:
        """Whether Redis is the one this box runs, not an external one."""
        return self.redis_url.startswith("unix:") and str(self.redis_socket) in self.redis_url

    @property
    def own_chroma(self) -> bool:
        """Whether Chroma is the one this box runs, not an external one."""
        return self.chroma_url == f"http://127.0.0.1:{self.chroma_port}"


_settings: Settings | None = None


def get() -> Settings:
    """Return the settings of this process, loading them once."""
    global _settings
    if _settings is None:
        _settings = load()
    return _settings


def reset(settings: Settings | None = None) -> None:
    """Use these settings from now on, or load them anew at the next `get()`; for tests and `sparrow dev`."""
    global _settings
    _settings = settings


def load(environ: dict[str, str] | None = None, *, file: bool = True) -> Settings:
    """Read the settings from the environment and the file; raise SettingsError for what makes no sense.

    `file=False` is for programs whose user may not read the file, which may hold passwords.
    """
    environ = dict(os.environ) if environ is None else environ
    dev = _flag("dev", environ.get(PREFIX + "DEV") or "false", PREFIX + "DEV")
    data_dir = Path(environ.get(PREFIX + "DATA_DIR") or "/data").absolute()
    given = _from_file(data_dir / "config" / "sparrow.toml") if file else {}
    for name in (entry.name for entry in fields(Settings)):
        text = environ.get(PREFIX + name.upper())
        if text:
            given[name] = (text, PREFIX + name.upper())
    values = {name: _convert(name, value, origin) for name, (value, origin) in given.items()}
    values.update(data_dir=data_dir, dev=dev, version=__version__)

    home_dir = values.setdefault("home_dir", _home())
    run_dir = values.setdefault("run_dir", Path("/run/sparrow")).absolute()
    values["run_dir"] = run_dir
    values.setdefault("web_dir", _web(home_dir))
    values.setdefault("chroma_port", 8300)
    values.setdefault("drop_dir", data_dir / "drop")
    values.setdefault("media_dir", Path("/media"))
    values.setdefault("database_url", f"sqlite:///{data_dir}/db/sparrow.db")
    values.setdefault("redis_url", f"unix://{run_dir}/redis.sock")
    values.setdefault("chroma_url", f"http://127.0.0.1:{values['chroma_port']}")
    return Settings(**values)


def _from_file(path: Path) -> dict[str, tuple[object, str]]:
    """Return field → (value, origin) of the settings file; a missing file is an empty one."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SettingsError(f"Cannot read the settings in {path}: {error.strerror}.")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings in {path} are not valid TOML: {error}. "
                            "Correct or remove the file.")
    known = {entry.name for entry in fields(Settings)} - {"data_dir", "dev", "version"}
    for name in content:
        if name not in known:
            raise SettingsError(f"There is no setting {name!r} (in {path}). Known ones: "
                                + ", ".join(sorted(known)) + ".")
    return {name: (value, str(path)) for name, value in content.items()}


def _convert(name: str, value: object, origin: str) -> object:
    kind = Settings.__annotations__[name]
    if kind == "Path":
        return Path(str(value)).absolute()
    if kind == "int":
        return _number(name, value, origin)
    if kind == "bool":
        return _flag(name, value, origin)
    if kind == "tuple[str, ...]":
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else tuple(map(str, value))
    if not isinstance(value, str):
        raise SettingsError(f"{name} must be text, not {value!r} (in {origin}).")
    if name == "log_level":
        value = value.lower()
        if value not in _LOG_LEVELS:
            raise SettingsError(f"log_level must be one of {', '.join(_LOG_LEVELS)}, not {value!r} "
                                f"(in {origin}).")
    return value


def _number(name: str, value: object, origin: str) -> int:
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        number = -1
    low, high = (1, 65535) if name.endswith("_port") else (1, 1_000_000)
    if isinstance(value, bool) or not low <= number <= high:
        raise SettingsError(f"{name} must be a whole number from {low} to {high}, not {value!r} "
                            f"(in {origin}).")
    return number


def _flag(name: str, value: object, origin: str) -> bool:
    text = str(value).lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise SettingsError(f"{name} must be true or false, not {value!r} (in {origin}).")


def _home() -> Path:
    """Find the folder of supervisord.conf and caddy/: a source tree, else where the package put its data."""
    places = [Path(__file__).resolve().parents[2], Path(sys.prefix, "share", "sparrow"),
              Path("/usr/share/sparrow")]
    for place in places:
        if (place / "supervisord.conf").is_file():
            return place
    return places[-1]


def _web(home: Path) -> Path:
    """Find the built console: in a source tree, else next to supervisord.conf."""
    source = home / "app" / "web"
    return source / "dist" if source.is_dir() else home / "web"


def cache_dir() -> Path:
    """Return the user's folder for what can be made or fetched again, where no image has brought it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparrow"
