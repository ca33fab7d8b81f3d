"""FunASR without the models that nobody asked for: a class is imported when its name is looked up.

``import funasr`` (1.4.16) imports every module it has, most of the seconds that a recogniser takes to
start and 150 MB, and offers no switch. Their one use is that classes enter themselves, by name, in the tables
of ``funasr.register``. Here the tables know from the sources which module has a name, and import that. Left
out as well: scikit-learn and scipy.stats, for speakers clustered by ``AutoModel``, and the line number of
every class, for a table that nobody prints.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLUSTERING = "funasr.models.campplus.cluster_backend"
_ENTRY = re.compile(r'tables\.register\(\s*"(\w+)",\s*"([^"]+)"')


def install() -> None:
    """Import funasr that way, unless it is imported already; call it before anything else imports it."""
    if "funasr" in sys.modules:
        return
    walk_packages = pkgutil.walk_packages
    pkgutil.walk_packages = lambda *_place: iter(())
    try:
        package = importlib.import_module("funasr")
    finally:
        pkgutil.walk_packages = walk_packages
    register: Any = importlib.import_module("funasr.register")
    register.inspect = SimpleNamespace(
        getfile=lambda kind: kind.__module__, getsourcelines=lambda _kind: ([], 0)
    )
    with _without_clustering():
        importlib.import_module("funasr.auto.auto_model")
    tables = register.tables
    for name, modules in _entries(Path(package.__path__[0])).items():
        known = getattr(tables, name, {})
        setattr(tables, name, _Table(known, modules))


@contextlib.contextmanager
def _without_clustering() -> Iterator[None]:
    """Let a module import the clustering's name; who imports it later gets what it is."""
    placeholder: Any = ModuleType(_CLUSTERING)
    placeholder.ClusterBackend = None
    sys.modules[_CLUSTERING] = placeholder
    try:
        yield
    finally:
        del sys.modules[_CLUSTERING]


def _entries(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Return table -> name of a class -> modules that enter it."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(folder.rglob("*.py")):
        place = path.relative_to(folder.parent).with_suffix("")
        for table, name in _ENTRY.findall(path.read_text(encoding="utf-8")):
            found.setdefault(table, {}).setdefault(name, []).append(".".join(place.parts))
    return found


class _Table(dict[str, Any]):
    """One of FunASR's tables."""

    def __init__(self, known: dict[str, Any], modules: dict[str, list[str]]) -> None:
        super().__init__(known)
        self._modules = modules

    def get(self, name: str, default: Any = None) -> Any:
        """Return a class, importing it if need be."""
        for module in self._modules.pop(name, ())[-1:]:  # of two, the last one counts, as for FunASR
            importlib.import_module(module)
        return super().get(name, default)
