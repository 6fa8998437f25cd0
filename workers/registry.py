"""One registry for everything that is added as a file: job kinds, formats, cleaning steps, runtimes, vendors."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

from workers.errors import NotFound
from workers.words import marked as _

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Entries by name, found by importing every module of the given packages.

    A repeated name or a module that does not import raises at once; an unknown name lists the known ones.
    """

    def __init__(self, what: str, *packages: str) -> None:
        self.what = what
        self.packages = packages
        self._entries: dict[str, Entry] = {}
        self._loaded = False

    def add(self, name: str, entry: Entry) -> Entry:
        if name in self._entries:
            raise ValueError(f"{self.what} {name!r} is registered twice")
        self._entries[name] = entry
        return entry

    def load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        for package in self.packages:
            root = importlib.import_module(package)
            for module in pkgutil.iter_modules(root.__path__, prefix=f"{package}."):
                importlib.import_module(module.name)

    def get(self, name: str) -> Entry:
        if name not in self._entries:
            self.load()
        try:
            return self._entries[name]
        except KeyError:
            raise NotFound(
                _("There is no %(what)s named %(name)s; known are: %(known)s."),
                what=self.what,
                name=name,
                known=", ".join(sorted(self._entries)),
            ) from None

    def __contains__(self, name: str) -> bool:
        self.load()
        return name in self._entries

    def names(self) -> list[str]:
        self.load()
        return sorted(self._entries)

    def items(self) -> Iterator[tuple[str, Entry]]:
        return iter([(name, self._entries[name]) for name in self.names()])
