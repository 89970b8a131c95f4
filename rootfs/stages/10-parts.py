# Stage: Get the locked packages from PyPI
"""Get the locked packages."""
