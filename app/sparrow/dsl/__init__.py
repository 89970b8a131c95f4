"""Dify's app files, in and out. Pure: no database, no network.

`document.parse` reads a file, `document.write` makes one, `review.warnings` says what the importer has to set up.
"""
