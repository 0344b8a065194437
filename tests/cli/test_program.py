"""The command line as a program, without a daemon."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from weaveipam import __version__, cli
from weaveipam.cli import foreign_package
from weaveipam.cli.program import COMMANDS, program
from weaveipam.config.options import OPTIONS

HOME = Path(__file__).parents[2]


def weaveipam(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The program, run to its end with only this environment."""
    return subprocess.run(
        [sys.executable, "-m", "weaveipam", *arguments],
        cwd=HOME,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand, imported."""
    context = click.Context(program)
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())


def test_help_needs_neither_server_nor_tables() -> None:
    """Listing the commands imports none of them, and nothing that is slow."""
    code = (
        "import sys\nfrom weaveipam.cli.program import program\n"
        "try:\n    program.main(['--help'], prog_name='weaveipam')\nexcept SystemExit:\n    pass\n"
        "slow = ('aiohttp', 'rich', 'yaml', 'asyncio', 'http.client', 'netaddr', 'weaveipam.node')\n"
        "print([name for name in slow if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, check=True)

    assert "[]\n" == ran.stderr
    assert [] == [name for name in COMMANDS if f"\n  {name} " not in ran.stdout]


def test_every_command_is_what_the_list_says() -> None:
    """The lines of the list are the first lines of the commands' own help."""
    wrong = {
        name: command.get_short_help_str(200)
        for name, command in commands()
        if name in COMMANDS and command.get_short_help_str(200).rstrip(".") != COMMANDS[name][1].rstrip(".")
    }

    assert {} == wrong


def test_every_command_has_examples_and_the_common_options() -> None:
    """Each help ends in examples, and each command takes --socket, --output and --version."""
    for name, command in commands():
        options = {option for param in command.params for option in param.opts}

        assert {"--socket", "--output", "-o", "--version"} <= options, name
        assert isinstance(command, click.Group) or "Examples:" in (command.epilog or ""), name


def test_agent_has_a_flag_for_every_option() -> None:
    """What can be configured can be said by flag."""
    agent = dict(commands())["agent"]
    flags = {option for param in agent.params for option in param.opts}

    assert [] == [option.flag for option in OPTIONS if option.flag not in flags]


@pytest.mark.parametrize("arguments", [["--version"], ["status", "--version"], ["-o", "json", "--version"]])
def test_the_version_can_be_asked_for_anywhere(arguments: list[str]) -> None:
    """--version works before and after a command, with no daemon."""
    ran = weaveipam(*arguments)

    assert (0, f"weaveipam {__version__}\n") == (ran.returncode, ran.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["statu"],
        ["status", "--nonsense"],
        ["status", "-o", "xml"],
        ["allocate"],
        ["allocate", "--key", "k", "--family", "5"],
        ["allocate", "--key", "k", "--ttl", "0s"],
        ["allocate", "--key", "k", "--ttl", "1.5h"],
        ["claim", "--key", "k"],
        ["release"],
        ["release", "--key", "k", "--address", "10.0.0.1"],
        ["lookup"],
        ["import", "host-local"],
        ["import", "host-local", "/nonexistent"],
        ["import", "addresses", "/nonexistent"],
        ["completion", "tcsh"],
        ["agent", "--nonsense"],
        ["agent", "--name", "a/b"],
        ["agent", "--init", "consensus=some"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    """What cannot be meant ends with status 2 and a reason, and prints nothing else."""
    ran = weaveipam(*arguments)

    assert (2, "") == (ran.returncode, ran.stdout)
    assert ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("place", ["before", "after", "environment"])
def test_without_a_daemon_the_status_is_3(place: str, tmp_path: Path) -> None:
    """No daemon at the socket: one line that names the socket, wherever it was said."""
    path = str(tmp_path / "none.sock")
    ran = {
        "before": lambda: weaveipam("--socket", path, "status"),
        "after": lambda: weaveipam("--socket", "/other", "status", "--socket", path),
        "environment": lambda: weaveipam("status", WEAVEIPAM_SOCKET=path),
    }[place]()

    assert (3, "", 1) == (ran.returncode, ran.stdout, len(ran.stderr.splitlines()))
    assert path in ran.stderr
    assert "weaveipam agent" in ran.stderr


def test_a_file_in_place_of_the_socket_is_no_daemon(tmp_path: Path) -> None:
    """Whatever lies at the socket's path, the program ends with status 3 and one line."""
    path = tmp_path / "api.sock"
    path.write_text("")
    ran = weaveipam("--socket", str(path), "status")

    assert (3, 1) == (ran.returncode, len(ran.stderr.splitlines()))


def test_a_configuration_can_be_checked(tmp_path: Path) -> None:
    """--check-config prints OK, or every fault, and starts nothing."""
    file = tmp_path / "c.toml"
    file.write_text(
        'name = "n1"\ndata_dir = "/nonexistent"\n[[pool]]\nname = "p"\nranges = ["10.0.0.0/24"]\n'
    )
    right = weaveipam("agent", "--check-config", WEAVEIPAM_CONFIG=str(file))
    wrong = weaveipam(
        "agent", "--check-config", "--config", str(file), "--pool", "q=10.0.0.1/8", "--preset", "x"
    )

    assert (0, "OK\n", "") == (right.returncode, right.stdout, right.stderr)
    assert (2, "", 2) == (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines()))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str) -> None:
    """The script is one for that shell, and what it calls answers with the commands."""
    word = "al" if shell == "fish" else "1"  # fish hands over the word, the others its number
    script = weaveipam("completion", shell)
    asked = weaveipam(_WEAVEIPAM_COMPLETE=f"{shell}_complete", COMP_WORDS="weaveipam al", COMP_CWORD=word)

    assert 0 == script.returncode
    assert "_WEAVEIPAM_COMPLETE" in script.stdout
    assert "allocations" in asked.stdout


def test_a_foreign_package_is_refused(tmp_path: Path) -> None:
    """A package `ring` of somebody else is named in one sentence, and never imported."""
    (tmp_path / "ring").mkdir()
    (tmp_path / "ring" / "__init__.py").write_text("raise SystemExit('imported')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from weaveipam.cli import main; main()"
    ran = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, check=False)

    assert (1, 1) == (ran.returncode, len(ran.stderr.splitlines()))
    assert f"'ring' at {tmp_path}/ring/__init__.py is not weaveipam's own" in ran.stderr


def test_a_package_that_was_overwritten_is_refused(tmp_path: Path) -> None:
    """A foreign package in the right place is seen by how it begins; the own ones are accepted."""
    assert foreign_package(Path(cli.__file__).parents[2]) is None
    assert "is not weaveipam's own" in (foreign_package(tmp_path) or "")


def test_the_reference_names_every_command() -> None:
    """docs/reference/cli.md has every command."""
    page = (HOME / "docs" / "reference" / "cli.md").read_text()

    assert [] == [name for name, _ in commands() if f"`{name}" not in page]
