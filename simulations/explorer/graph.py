"""
The states of a world, and the steps between them.

A state is the members' states and the set of all messages that were ever sent: each may arrive at any time,
any number of times, or never, also when its sender is dead.  Members and messages are numbered as they turn
up, and each step of each member is worked out once.
Does not know which states are bad, nor in which order they are visited.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import fields, replace
from functools import partial
from random import Random
from typing import NamedTuple, TypeAlias

from ring.ring import Peer
from simulations.explorer.choices import Scene, choices
from simulations.explorer.member import Letter, Member, Step
from simulations.explorer.shell import Shell
from simulations.explorer.words import heard
from simulations.explorer.worlds import SETTLE, Word, World
from weaveipam.allocation.campaign import Campaign
from weaveipam.allocation.rules import Rules
from weaveipam.protocol.rollcalls import Enrol

State: TypeAlias = tuple[tuple[int, ...], int]
"""The number of each member's state, and a bit for each message that was sent."""


class Move(NamedTuple):
    """One step of one member."""

    words: str
    after: State
    arrival: bool
    """Whether somebody hears a message, rather than does something unasked."""


class _Turn(NamedTuple):
    """What one member may do; its state afterwards and what it sends, by numbers."""

    words: str
    after: int
    letters: int
    arrival: bool


class Graph:
    """The states of a world under some rules."""

    def __init__(self, world: World, rules: Rules) -> None:
        self.world = world
        self._peers = world.peers
        self._rules = rules
        self._shells: dict[frozenset[Peer], Shell] = {}
        self._scenes: dict[tuple[int, int, int], Scene] = {}
        self.members: list[Member] = []
        """By number."""
        self.letters: list[Letter] = []
        """By bit."""
        self._member_numbers: dict[Hashable, int] = {}
        self._letter_numbers: dict[Letter, int] = {}
        self._inboxes = dict.fromkeys(self._peers, 0)
        self._broadcast = 0
        self._asking = dict.fromkeys(self._peers, 0)
        self._turns: dict[tuple[int, int, Scene], list[_Turn]] = {}
        self._chosen: dict[tuple[int, Scene], list[_Turn]] = {}
        self._heard: dict[tuple[int, int, Shell], _Turn] = {}
        self.first: State = (tuple(map(self._numbered, world.members())), 0)
        for words in world.beginning:
            self.first = self.settled(self.first) if words == SETTLE else self.taken(self.first, words)

    def moves(self, state: State) -> Iterator[Move]:
        """Every step that may come next, in a fixed order."""
        members, sent = state
        scene = self._scene(state)
        for at, number in enumerate(members):
            if not self.members[number].acts:
                continue
            pending = sent & (self._inboxes[self._peers[at]] | self._broadcast)
            for words, after, letters, arrival in self._member_turns(number, pending, scene):
                if after != number or letters | sent != sent:
                    yield Move(words, ((*members[:at], after, *members[at + 1 :]), sent | letters), arrival)

    def drawn(self, state: State, rng: Random, arrivals_share: float) -> Move | None:
        """One step that changes something, by chance; None if there is none.  Cheaper than all of them."""
        members, sent = state
        scene = self._scene(state)
        shell = self._shell(scene)
        acting = [(at, number) for at, number in enumerate(members) if self.members[number].acts]
        hearings: list[tuple[int, Callable[[], _Turn]]] = []
        chosen: list[tuple[int, Callable[[], _Turn]]] = []
        for at, number in acting:
            pending = sent & (self._inboxes[self._peers[at]] | self._broadcast)
            hearings += [(at, partial(self._hearing, number, bit, shell)) for bit in _bits(pending)]
            for words, step in choices(self.world, shell, self.members[number], scene):
                chosen.append((at, partial(self._turn, number, words, step)))
        rng.shuffle(hearings)
        rng.shuffle(chosen)
        ordered = [*hearings, *chosen] if rng.random() < arrivals_share else [*chosen, *hearings]
        for at, turned in ordered:
            words, after, letters, arrival = turned()
            if after != members[at] or letters | sent != sent:
                return Move(words, ((*members[:at], after, *members[at + 1 :]), sent | letters), arrival)
        return None

    def taken(self, state: State, words: str) -> State:
        """
        The state after the step that begins with these words.

        Raises:
            LookupError: there is no such step.
        """
        for move in self.moves(state):
            if move.words.startswith(words):
                return move.after
        there = "; ".join(move.words for move in self.moves(state))
        raise LookupError(f"no step begins with {words!r}; there are: {there}")

    def settled(self, state: State) -> State:
        """The state when everybody has heard everything."""
        while True:
            move = next((one for one in self.moves(state) if one.arrival), None)
            if move is None:
                return state
            state = move.after

    def those(self, state: State) -> list[Member]:
        """All members of a state."""
        return [self.members[number] for number in state[0]]

    def _scene(self, state: State) -> Scene:
        living = admitted = there = 0
        for at, number in enumerate(state[0]):
            one = self.members[number]
            known = one.ledger.admitted or bool(state[1] & self._asking[one.me])
            living |= one.alive << at
            admitted |= one.ledger.admitted << at
            there |= (one.alive and known) << at
        found = self._scenes.get((living, admitted, there))
        if found is None:
            found = Scene(*map(self._those, (living, admitted, there)))
            self._scenes[living, admitted, there] = found
        return found

    def _member_turns(self, number: int, pending: int, scene: Scene) -> list[_Turn]:
        key = (number, pending, scene)
        found = self._turns.get(key)
        if found is None:
            found = [*self._own_turns(number, scene)]
            for bit in _bits(pending):
                turn = self._hearing(number, bit, self._shell(scene))
                if turn.after != number or turn.letters:
                    found.append(turn)
            self._turns[key] = found
        return found

    def _hearing(self, number: int, letter_number: int, shell: Shell) -> _Turn:
        key = (number, letter_number, shell)
        found = self._heard.get(key)
        if found is None:
            one, letter = self.members[number], self.letters[letter_number]
            words = heard(one.me, letter)
            found = self._turn(number, words, partial(shell.hears, one, letter), arrival=True)
            self._heard[key] = found
        return found

    def _own_turns(self, number: int, scene: Scene) -> list[_Turn]:
        """What a member may do of its own accord."""
        key = (number, scene)
        found = self._chosen.get(key)
        if found is None:
            one = self.members[number]
            there = choices(self.world, self._shell(scene), one, scene)
            turns = [self._turn(number, words, step) for words, step in there]
            self._chosen[key] = found = [turn for turn in turns if turn.after != number or turn.letters]
        return found

    def _turn(
        self, number: int, words: str, step: Callable[[], Step | None], *, arrival: bool = False
    ) -> _Turn:
        try:
            made = step()
        except AssertionError as error:
            made = replace(self.members[number], broken=str(error)), ()
        if made is None:
            return _Turn(words, number, 0, arrival)
        after, letters = made
        bits = 0
        for letter in letters:
            bits |= 1 << self._letter_number(letter)
        return _Turn(words, self._numbered(after), bits, arrival)

    def _shell(self, scene: Scene) -> Shell:
        """What members do; for a true word that somebody is gone it makes no difference who can be heard."""
        near = scene.living if self.world.word is Word.WRONG else frozenset[Peer]()
        found = self._shells.get(near)
        if found is None:
            found = self._shells[near] = Shell(self._rules, near, self.world.leavers)
        return found

    def _those(self, bits: int) -> frozenset[Peer]:
        return frozenset(peer for at, peer in enumerate(self._peers) if bits >> at & 1)

    def _numbered(self, one: Member) -> int:
        key = _key(one)
        found = self._member_numbers.setdefault(key, len(self.members))
        if found == len(self.members):
            self.members.append(one)
        return found

    def _letter_number(self, letter: Letter) -> int:
        found = self._letter_numbers.setdefault(letter, len(self.letters))
        if found == len(self.letters):
            self.letters.append(letter)
            if letter.to is None:
                self._broadcast |= 1 << found
            elif letter.to in self._inboxes:
                self._inboxes[letter.to] |= 1 << found
            if isinstance(letter.said, Enrol):
                self._asking[letter.sender] |= 1 << found
        return found


def _bits(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        bits ^= lowest
        yield lowest.bit_length() - 1


def _key(one: Member) -> Hashable:
    """What tells a member's states apart: a campaign holds dictionaries, which have no hash."""
    campaign = one.campaign
    if campaign is None:
        return one
    parts = (
        *(getattr(campaign, name) for name in _PARTS),
        tuple((ring, tuple(runs)) for ring, runs in sorted(campaign.known.items())),
        tuple(sorted(campaign.uses.items())),
    )
    return replace(one, campaign=None), parts


_PARTS = [one.name for one in fields(Campaign) if one.name not in {"known", "uses"}]
