"""Daemons that are told only how many they are form one cluster amid cuts, crashes and a power cut."""

from __future__ import annotations

from simulations.asking import serve
from simulations.stage import Stage

NODES = 5
MINUTES = 1.0
CONSENSUS = True
FORMED = False
CRASHES = 40


def play(stage: Stage) -> None:
    """A fifth in halves, two fifths of crashes on bad links, a power cut, and the rest whole."""
    names = stage.names
    half = len(names) // 2
    stage.split(names[:half], names[half : 2 * half])
    stage.run(stage.seconds / 5)
    stage.heal()
    stage.impair(names, delay_s=0.1, loss=0.3)
    turn_s = stage.seconds * 2 / 5 / CRASHES
    for turn in range(CRASHES):
        victim = names[turn % len(names)]
        stage.kill(victim)
        stage.run(turn_s / 4)
        stage.start(victim)
        stage.run(turn_s * 3 / 4)
    stage.heal()
    stage.power_cut(*names)
    stage.run(stage.seconds / 20)
    stage.start(*names)
    stage.run(stage.seconds * 3 / 20)
    stage.claim("all of them serve", serve(stage, names))
    stage.load(adds_per_s=2.0, hold_s=5.0)
    stage.run(stage.seconds / 5)
