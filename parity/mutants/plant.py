"""Plants a mutant in the running code, in every module that imported it, and removes it again.

A mutant that changed nothing would pass for a bug that survives, or for a harmless control. So it
is an AssertionError if a piece of code does not occur exactly once, or its replacement is equal.
"""

import __future__

import ast
import importlib
import pkgutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from types import ModuleType

from parity.mutants import cpp
from parity.mutants.mutant import Change, Mutant

# Code is replaced in the modules of these packages, which may have imported it by name.
PACKAGES = ("paddle_impl", "data_tools", "parity.paddle_side")


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The mutant's code runs inside of the block, the original code before and after it."""
    load_all()
    by_path: dict[str, list[Change]] = {}
    for change in mutant.changes:
        by_path.setdefault(change.path, []).append(change)
    with ExitStack() as restore:
        for path, changes in by_path.items():
            _plant(path, changes, restore)
        yield


@cache
def load_all() -> None:
    """Import every module now. One imported while a mutant is planted would keep its code."""
    for package in PACKAGES:
        folder = importlib.import_module(package)
        for module in pkgutil.walk_packages(folder.__path__, f"{package}."):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as missing:  # a package of an extra that is not installed
                if missing.name.partition(".")[0] in PACKAGES:
                    raise


def live(path: str):
    """The object that the path names, as its module or class holds it.

    For compiled code it is the module.
    """
    module, owners, name = _locate(path)
    return module if cpp.is_compiled(module) else vars(_owner(module, owners))[name]


def _plant(path: str, changes: list[Change], restore: ExitStack) -> None:
    module, owners, name = _locate(path)
    if cpp.is_compiled(module):
        source = mutated(cpp.source(module), changes)
        compiled = restore.enter_context(cpp.built(source, module))
        for name, new in cpp.definitions(compiled).items():
            _replace_everywhere(getattr(module, name), new, restore)
        return
    owner = _owner(module, owners)
    definition = _definition(module, [*owners, name], path)
    source = _source(module, definition)
    changed = _parsed(mutated(source, changes), path)
    assert ast.dump(changed) != ast.dump(_parsed(source, path)), f"{path} is as it was"
    original, new = vars(owner)[name], _made(changed, name, module, owner, path)
    if isinstance(owner, type):
        _set(owner, name, original, new, restore)
        if hasattr(new, "__set_name__"):  # Python calls it for a cached_property in a class body
            new.__set_name__(owner, name)
    elif isinstance(definition, ast.FunctionDef):
        _replace_everywhere(original, new, restore)
    else:  # equal numbers and strings may be one object, so the name must agree as well
        _replace_everywhere(original, new, restore, name)


def _owner(module: ModuleType, owners: list[str]) -> ModuleType | type:
    owner: ModuleType | type = module
    for attribute in owners:
        owner = getattr(owner, attribute)
    return owner


def mutated(source: str, changes: list[Change]) -> str:
    """The source with every change made."""
    for path, code, replacement in changes:
        found = source.count(code)
        assert found == 1, f"{path} contains {code!r} {found} times, not once"
        assert replacement != code, f"{path}: {code!r} is replaced by itself"
        source = source.replace(code, replacement)
    return source


def _locate(path: str) -> tuple[ModuleType, list[str], str]:
    """The module, the classes around the definition, and its name."""
    parts = path.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if module := sys.modules.get(".".join(parts[:end])):
            return module, parts[end:-1], parts[-1]
    raise AssertionError(f"{path} lies in no module of {', '.join(PACKAGES)}")


def _definition(module: ModuleType, names: list[str], path: str) -> ast.stmt:
    """The statement that defines the name, found in the parsed file.

    The object itself is not asked, so decorators, properties and wrappers need no unwrapping.
    """
    body = ast.parse(_file(module)).body
    for name in names:
        found = [node for node in body if name in _defined(node)]
        assert len(found) == 1, f"{path}: {name} is defined {len(found)} times, not once"
        body = getattr(found[0], "body", [])
    return found[0]


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _source(module: ModuleType, node: ast.stmt) -> str:
    """The source of the definition and its decorators, without indentation."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    lines = _file(module).splitlines(keepends=True)[first - 1 : node.end_lineno]
    return textwrap.dedent("".join(lines))


def _file(module: ModuleType) -> str:
    with open(module.__file__, encoding="utf-8") as file:
        return file.read()


def _parsed(source: str, path: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise AssertionError(f"{path}: the mutated source is no Python: {error}") from error


def _made(tree: ast.Module, name: str, module: ModuleType, owner, path: str):
    """The mutated object, with its module's globals.

    It is defined in a factory with an argument __class__, which super() without arguments needs.
    """
    factory = ast.parse(f"def factory(__class__):\n    return {name}")
    factory.body[0].body[:0] = tree.body
    ast.fix_missing_locations(factory)
    # Annotations are not evaluated: some name types that only a type checker imports.
    flags = __future__.annotations.compiler_flag
    scope: dict = {}
    code = compile(factory, f"<mutant of {path}>", "exec", flags, dont_inherit=True)
    exec(code, vars(module), scope)
    return scope["factory"](owner if isinstance(owner, type) else None)


def _replace_everywhere(original, new, restore: ExitStack, only: str | None = None) -> None:
    """Replace it in every module that has it, under any name or, if given, only under `only`.

    A named tuple of functions in a module, such as an Objective, is replaced too.
    """
    holders = {}
    for module in [m for n, m in sys.modules.items() if n.startswith(PACKAGES)]:
        for name, value in list(vars(module).items()):
            if value is original and only in (None, name):
                _set(module, name, original, new, restore)
            elif only is None and hasattr(type(value), "_make") and any(
                    part is original for part in value):
                holders[id(value)] = value
    for value in holders.values():
        parts = (new if part is original else part for part in value)
        _replace_everywhere(value, value._make(parts), restore)


def _set(owner, name: str, original, new, restore: ExitStack) -> None:
    setattr(owner, name, new)
    restore.callback(setattr, owner, name, original)
