"""
The command `scale` of the simulator.

Does not know how anything is measured, nor how the page is made.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from simulations.options import Cannot, examples
from simulations.session import EXIT_INTERRUPTED

PAGE = Path("docs/reference/scale.md")


def _names(_context: click.Context, _option: click.Parameter, value: str | None) -> list[str] | None:
    from simulations.scale.measures import ALL  # noqa: PLC0415 - help must be quick

    names = None if value is None else value.split(",")
    unknown = [name for name in names or () if name not in ALL]
    if unknown:
        raise click.BadParameter(f"no measurement {unknown[0]!r}; there are: {', '.join(ALL)}")
    return names


@examples(
    "scale                                   what the file lacks of all of it: hours",
    "scale --nodes 10,100                    some minutes",
    "scale --only idle,crash --again         these once more, in all sizes",
    "scale --nodes '' --out scale.md         only the page, from what the file has",
)
@click.command()
@click.option("--nodes", metavar="N,...", help="Sizes of clusters. Default: 10,100,1000,5000.")
@click.option("--only", metavar="NAME,...", callback=_names, help="Measurements. Default: all.")
@click.option("--again", is_flag=True, help="Also make the runs that the file has.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default=PAGE.with_suffix(".json"),
    show_default=True,
    help="Where runs are kept; each is written when it is done, so that a broken series goes on from there.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default=PAGE,
    show_default=True,
    help="The page; its plots go beside it.",
)
def scale(*, nodes: str | None, only: list[str] | None, again: bool, json_file: Path, out: Path) -> None:
    """
    Measure what gossip costs, and how fast it is, from 10 to 5,000 nodes.

    Runs are kept in a file, and a page with plots is made of all that it has.
    """
    from simulations.scale.measures import ALL, SIZES  # noqa: PLC0415 - help must be quick
    from simulations.scale.page import page, plots  # noqa: PLC0415 - as above
    from simulations.scale.results import Results  # noqa: PLC0415 - as above
    from simulations.scale.taking import FailedError, take  # noqa: PLC0415 - as above

    sizes = _sizes_of(nodes, SIZES)
    try:
        results = Results(json_file)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Cannot(f"{json_file} is not a file of results: {error}") from None
    chosen = [one for name, one in ALL.items() if only is None or name in only]
    status = 0
    try:
        take(chosen, sizes, results, again=again, tell=_tell)
    except FailedError as error:
        print(error, file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    out.write_text(page(results))
    for name, drawn in plots(results).items():
        out.with_name(name).write_text(drawn + "\n")
    sys.exit(status)


def _sizes_of(text: str | None, default: tuple[int, ...]) -> list[int]:
    if text is None:
        return list(default)
    parts = [part for part in text.split(",") if part]
    if not all(part.isdigit() and int(part) > 1 for part in parts):
        raise click.BadParameter(f"--nodes {text!r} is not a list of numbers over 1, as in 10,100")
    return sorted({int(part) for part in parts})


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)
