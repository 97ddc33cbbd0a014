"""What a piece of code stands on, read from the files: its definition and those that it names.

Nothing is imported. Layout, comments and docstrings do not count.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def plain(node):
    """The syntax tree as lists and texts.

    ast.dump would do, but for the docstrings, and for empty fields, of which each version of Python
    has others.
    """
    if isinstance(node, list):
        return [plain(one) for one in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    return [type(node).__name__, *([name, plain(value)] for name, value in fields.items()
                                   if value is not None and value != [])]


def sha256(told) -> str:
    return hashlib.sha256(repr(told).encode()).hexdigest()


class Sources:
    """The files of a project below its root; each is read once."""

    def __init__(self, root: Path):
        self.root = root
        self._modules: dict[Path, _Module] = {}
        self._sums: dict[Path, str] = {}
        self._reached: dict[tuple[str, ...], str] = {}
        self._definitions: dict[tuple[str, str], tuple[str, set]] = {}

    def file(self, dotted: str) -> str:
        """SHA-256 of the file that the name leads into; LookupError where it leads nowhere.

        For compiled code it is of all C++ files in the folder, because they include each other.
        """
        path, names = self._locate(dotted)
        if not names or names[0] in self._module(path).definitions:
            return self._sum([path])
        compiled = sorted([*path.parent.rglob("*.cpp"), *path.parent.rglob("*.h")])
        if path.name != "__init__.py" or not compiled:
            raise LookupError(f"{path} defines no {names[0]}")
        return self._sum(compiled)

    def reached(self, starts: tuple[str, ...], package: str, but: tuple[str, ...] = ()) -> str:
        """SHA-256 of the definitions of these names and of all that they name in the package.

        but: names in the package that are not followed.
        """
        if starts not in self._reached:
            self._reached[starts] = sha256(self._walk(starts, package, but))
        return self._reached[starts]

    def _walk(self, starts: tuple[str, ...], package: str, but: tuple[str, ...]) -> list:
        """Every (module, name) with its source."""
        found: dict[tuple[str, str], str] = {}
        waiting = [self._defined(start, package) for start in starts]
        while waiting:
            place = waiting.pop()
            if place is None or place in found or ".".join(place) in but:
                continue
            module, name = place
            nodes = self._module(self._locate(module)[0]).definitions[name]
            if place not in self._definitions:
                self._definitions[place] = sha256(plain(nodes)), {
                    self._defined(f"{module}.{named}", package)
                    for node in nodes for named in _named(node)}
            found[place], named = self._definitions[place]
            waiting += named
        return sorted(found.items())

    def _defined(self, dotted: str, package: str) -> tuple[str, str] | None:
        """(module, name) that a name means where it is used; None outside of the package."""
        if not dotted.startswith(f"{package}."):
            return None
        path, names = self._locate(dotted)
        if not names:
            return None
        module = self._module(path)
        if names[0] in module.definitions:
            return dotted.removesuffix("." + ".".join(names)), names[0]
        if (origin := module.imports.get(names[0])) is not None:
            return self._defined(".".join([origin, *names[1:]]), package)
        return None

    def _locate(self, dotted: str) -> tuple[Path, list[str]]:
        """The file of the longest part of the name that is a module, and the names after it."""
        parts = dotted.split(".")
        for end in range(len(parts), 0, -1):
            stem = self.root.joinpath(*parts[:end])
            for path in (stem.with_suffix(".py"), stem / "__init__.py"):
                if path.is_file():
                    return path, parts[end:]
        raise LookupError(f"{dotted} lies in no file below {self.root}")

    def _module(self, path: Path) -> "_Module":
        if path not in self._modules:
            self._modules[path] = _Module(ast.parse(path.read_text(encoding="utf-8")))
        return self._modules[path]

    def _sum(self, paths: list[Path]) -> str:
        if paths[0] not in self._sums:
            self._sums[paths[0]] = sha256([
                plain(self._module(path).tree) if path.suffix == ".py"
                else path.read_text(encoding="utf-8") for path in paths])
        return self._sums[paths[0]]


class _Module:
    """definitions: name -> the statements at the top that give it a value. imports: name -> what it
    is elsewhere, such as `parity.cases.Case`.
    """

    def __init__(self, tree: ast.Module):
        self.tree = tree
        self.definitions: dict[str, list[ast.stmt]] = {}
        for node in tree.body:
            for name in _bound(node):
                self.definitions.setdefault(name, []).append(node)
        self.imports = {}
        for node in ast.walk(tree):
            for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
                if isinstance(node, ast.ImportFrom):
                    self.imports[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                else:
                    whole = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.imports[alias.asname or whole] = whole


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return {part.id for target in targets if target is not None for part in ast.walk(target)
            if isinstance(part, ast.Name)}


def _named(node: ast.AST) -> Iterator[str]:
    """Every name in the code, and every chain of names with dots."""
    for part in ast.walk(node):
        chain = []
        while isinstance(part, ast.Attribute):
            chain.insert(0, part.attr)
            part = part.value
        if isinstance(part, ast.Name):
            yield ".".join([part.id, *chain])
