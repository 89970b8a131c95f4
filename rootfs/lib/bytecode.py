"""Compile a tree of Python files to byte code without docstrings; run by the Python that is to use it.

Docstrings would be a tenth of the memory of each program, and nobody reads them on the box. `python -OO` would leave
them out as well, but the assertions with them.
"""

import ast
import compileall
import sys
from importlib.machinery import SourceFileLoader
from py_compile import PycInvalidationMode

LEFT = ("numpy/", "sqlalchemy/orm/")  # numpy.ma and the ORM read docstrings while they are imported


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Take the docstrings out of a module's tree; return it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is None:
            continue
        first = node.body[0]
        if isinstance(node, ast.ClassDef) and node.decorator_list:
            first.value.value = " "  # a dataclass without one makes itself another at each start
        elif len(node.body) == 1:
            node.body[0] = ast.copy_location(ast.Pass(), first)
        else:
            del node.body[0]
    return tree


def main(folder: str) -> None:
    """Compile all files below a folder; end with an error if one cannot be."""
    compiled = SourceFileLoader.source_to_code

    def compile_one(self, data, path, **options):
        slim = data if any(part in path for part in LEFT) else without_docstrings(ast.parse(data))
        return compiled(self, slim, path, **options)

    SourceFileLoader.source_to_code = compile_one
    if not compileall.compile_dir(folder, maxlevels=99, quiet=1, force=True,
                                  invalidation_mode=PycInvalidationMode.UNCHECKED_HASH):
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
