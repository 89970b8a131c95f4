"""The settings of gunicorn, the API's server: one process, many threads, a Unix socket that only Caddy reaches."""

from __future__ import annotations

import grp
import os
import sys
from contextlib import suppress

from sparrow import settings as _settings

_s = _settings.get()

bind = f"unix:{_s.api_socket}"
umask = 0o007  # the socket and all files: this user and its group
worker_class = "sparrow.api.serving.Worker"
workers = _s.api_workers
threads = _s.api_threads  # each open stream holds one until it ends
worker_tmp_dir = str(_s.run_dir / "api")  # the heartbeat file must be in memory
control_socket_disable = True  # it would be made under $HOME, which is read-only
preload_app = False
timeout = 120  # seconds without a heartbeat of the worker, not the length of a request
graceful_timeout = 10  # below supervisord's stopwaitsecs
keepalive = 75  # longer than Caddy's 30 s, so that it never sends into a closing connection
limit_request_line = 8190
errorlog = "-"
accesslog = None
loglevel = _s.log_level
proc_name = "sparrow-api"


def when_ready(server) -> None:
    """Hand the socket to Caddy's group, where there is one (the box)."""
    with suppress(KeyError, OSError):
        os.chown(_s.api_socket, -1, grp.getgrnam("sparrow-caddy").gr_gid)


def post_worker_init(worker) -> None:
    """Let threads take turns; set the admin up from SPARROW_ADMIN_PASSWORD, or make the setup code the screen shows."""
    # Requests leave the interpreter for SQLite and the network time and again: at Python's 5 ms each of them would
    # wait that long for one that computes.
    sys.setswitchinterval(0.0005)
    from sparrow.box import account
    from sparrow.errors import SparrowError

    try:
        if account.exists():
            _s.setup_code_file.unlink(missing_ok=True)
        elif _s.admin_password:
            account.create(_s.admin_password, language=_s.language)
        else:
            account.setup_code()
    except (SparrowError, OSError) as error:  # the API still starts: it says what is wrong
        worker.log.error("Cannot set up the admin: %s", error)
