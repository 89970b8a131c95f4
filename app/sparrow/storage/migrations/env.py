"""Alembic's entry: runs the migrations on the connection that `storage.migrate` hands over."""

from alembic import context

from sparrow.storage.tables import metadata

connection = context.config.attributes["connection"]
if connection.dialect.name == "sqlite":
    # One process migrates, the others wait for it here.
    connection.connection.dbapi_connection.execute("BEGIN IMMEDIATE")
else:
    connection.exec_driver_sql("SELECT pg_advisory_lock(727079)")
try:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True,
                      transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
finally:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_unlock(727079)")
        connection.commit()
