"""The ground under the domain: tables, transactions, migrations, files, secrets, the queue connection."""
