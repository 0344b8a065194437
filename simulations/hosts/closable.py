"""
What must be closed, and is at the end of a `with`.

Does not know what closing means.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closable(ABC):
    """Has things that would outlive it: processes, threads, namespaces."""

    @abstractmethod
    def close(self) -> None:
        """Ends and removes all that it has; harmless when repeated."""

    def __enter__(self) -> Self:
        """Itself; a `with` closes it whatever happens."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()
