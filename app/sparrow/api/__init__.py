"""The ways in by HTTP."""

from __future__ import annotations


def create_app():
    """Return the WSGI application. Run by gunicorn as `sparrow.api:create_app()`."""
    import contextlib
    import importlib
    import pkgutil

    import sqlalchemy as sa
    from flask import Flask

    from sparrow.api import console, errors, mcp, pictures, service, site, triggers, web
    from sparrow.apps import settle
    from sparrow.box import health

    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    errors.install(app)
    for package in (console, service, site):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    app.register_blueprint(console.console.blueprint)
    app.register_blueprint(service.service.blueprint)
    app.register_blueprint(site.site.blueprint)
    app.register_blueprint(triggers.blueprint)
    app.register_blueprint(mcp.blueprint)
    app.register_blueprint(pictures.pictures.blueprint)

    @app.get("/health")
    def box_health():
        """Tell whether the box is well and else what to do; 503 if it is not."""
        known = health.public(health.status()["problems"])
        return web.reply(known, 503 if known["status"] == "error" else 200)

    # What a lost process left unfinished is put right before the first request is answered. Without tables
    # (the document of the API is being written, say) there is nothing to put right.
    with contextlib.suppress(sa.exc.DBAPIError):
        settle.settle()
    return app
