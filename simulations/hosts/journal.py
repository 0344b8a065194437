"""
What is known of a run on real hosts, in the order in which it became known, and judged as it does.

Clients, and whoever makes trouble, write from threads of their own; one lock gives every fact its place.
Does not know daemons, nor what is right.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count

from simulations.checkers.court import Court, all_checkers
from simulations.facts import Fact, Given, Observed
from simulations.outcome import Mark

TAIL_MAX = 30
"""Facts kept of those before the first violation."""


class Journal:
    """The facts and marks of one run; safe among threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        """Held while a fact is written; whoever must write several as one holds it around them."""
        # On real hosts nothing says how many addresses a daemon had free when it took a request, so that
        # nobody can tell whether one of them should have rested longer.
        self.court = Court(all_checkers(cooldown_s=0.0))
        self.court.on_first = self._on_first
        self.given_count = 0
        self.failures: Counter[str] = Counter()
        """Requests for addresses that got none, by reason."""
        self.facts_count = 0
        self.marks: list[Mark] = []
        self.tail: tuple[str, ...] = ()
        """The last facts before the first violation, if there was one."""
        self._lasting: set[int] = set()
        """Which marks have not ended."""
        self._last: deque[Fact] = deque(maxlen=TAIL_MAX)
        self._began = time.monotonic()
        self._requests = count(1)

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def next_request(self) -> int:
        """A number for a request."""
        with self.lock:
            return next(self._requests)

    def state(self, fact: Callable[[float], Fact]) -> None:
        """Write down a fact, made with the time at which it becomes known, and judge it."""
        with self.lock:
            stated = fact(self.now)
            self.facts_count += 1
            if not isinstance(stated, Observed):
                self._last.append(stated)
            self.given_count += isinstance(stated, Given)
            self.court.hear(stated)

    def accuse(self, checker: str, text: str) -> None:
        """Write down a violation that somebody else has found."""
        with self.lock:
            self.court.accuse(checker, self.now, text)

    def mark(self, kind: str, machines: Sequence[str], text: str, *, lasting: bool = False) -> None:
        """Something is done to the cluster now, `kind` as in `Mark`; what lasts does so until `end`."""
        with self.lock:
            now = self.now
            self.marks.append(Mark(kind, now, now if lasting else None, tuple(machines), text))
            if lasting:
                self._lasting.add(len(self.marks) - 1)

    def end(self, kind: str, machines: Sequence[str] = ()) -> None:
        """What was marked so, for one of these machines or for any, and still lasts, ends now."""
        with self.lock:
            for number in sorted(self._lasting):
                one = self.marks[number]
                if one.kind == kind and (not machines or set(one.machines) & {*machines}):
                    self.marks[number] = replace(one, until=self.now)
                    self._lasting.discard(number)

    def close(self) -> None:
        """What still lasts ends now."""
        with self.lock:
            for kind in {self.marks[number].kind for number in self._lasting}:
                self.end(kind)

    def _on_first(self) -> None:
        self.tail = tuple(f"{fact.when:9.3f}  {fact}" for fact in self._last)
