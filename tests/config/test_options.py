"""Which of flag, environment and file is believed, and what is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from weaveipam.config.options import OPTIONS, gather


def said(
    flags: dict[str, object], environ: dict[str, str], toml: str | None, tmp_path: Path
) -> tuple[dict[str, object], list[str]]:
    """What is believed by key, and the problems."""
    problems: list[str] = []
    file = None
    if toml is not None:
        file = tmp_path / "config.toml"
        file.write_text(toml)
    believed = gather(flags, environ, file, problems)
    return {key: one.value for key, one in believed.items()}, problems


@pytest.mark.parametrize(
    ("flags", "environ", "toml", "name"),
    [
        ({"name": "flag"}, {"WEAVEIPAM_NAME": "environment"}, 'name = "file"', "flag"),
        ({"name": None}, {"WEAVEIPAM_NAME": "environment"}, 'name = "file"', "environment"),
        ({}, {}, 'name = "file"', "file"),
        ({"join": ()}, {}, None, None),
    ],
)
def test_flags_go_over_environment_over_file(
    flags: dict[str, object], environ: dict[str, str], toml: str | None, name: str | None, tmp_path: Path
) -> None:
    """The strongest source that says something is believed, whole."""
    believed, problems = said(flags, environ, toml, tmp_path)

    assert name == believed.get("name")
    assert [] == problems


@pytest.mark.parametrize(
    ("flags", "environ", "toml", "expected"),
    [
        ({"join": ("a:1", "b:2")}, {}, None, {"join": ["a:1", "b:2"]}),
        ({}, {"WEAVEIPAM_JOIN": "a:1, b:2"}, None, {"join": ["a:1", "b:2"]}),
        ({}, {}, 'join = ["a:1", "b:2"]', {"join": ["a:1", "b:2"]}),
        ({"uvloop": False}, {"WEAVEIPAM_UVLOOP": "1"}, None, {"uvloop": False}),
        ({}, {"WEAVEIPAM_UVLOOP": "No"}, None, {"uvloop": False}),
        ({"sync_wait": "30"}, {}, "sync_wait = 7", {"sync_wait": 30.0}),
        ({}, {"WEAVEIPAM_SYNC_WAIT": "0.5"}, None, {"sync_wait": 0.5}),
        ({}, {}, "sync_wait = 30", {"sync_wait": 30.0}),
        ({}, {}, "sync_wait = 0.5", {"sync_wait": 0.5}),
        ({}, {}, "http_public = true", {"http_public": True}),
        (
            {"pool": ("p=10.0.0.0/24,10.1.0.0/24", "q=fd00::/64")},
            {},
            None,
            {
                "pool": [
                    {"name": "p", "ranges": ["10.0.0.0/24", "10.1.0.0/24"]},
                    {"name": "q", "ranges": ["fd00::/64"]},
                ]
            },
        ),
        (
            {},
            {"WEAVEIPAM_POOL": "p=10.0.0.0/24 q=fd00::/64"},
            None,
            {"pool": [{"name": "p", "ranges": ["10.0.0.0/24"]}, {"name": "q", "ranges": ["fd00::/64"]}]},
        ),
        (
            {},
            {},
            '[[pool]]\nname = "p"\nranges = ["10.0.0.0/24"]',
            {"pool": [{"name": "p", "ranges": ["10.0.0.0/24"]}]},
        ),
    ],
)
def test_every_source_has_its_way_to_say_a_value(
    flags: dict[str, object],
    environ: dict[str, str],
    toml: str | None,
    expected: dict[str, object],
    tmp_path: Path,
) -> None:
    """Lists, switches and pools mean the same from all sources."""
    assert (expected, []) == said(flags, environ, toml, tmp_path)


@pytest.mark.parametrize(
    ("flags", "environ", "toml", "sentence"),
    [
        ({}, {}, "data-dir = 'x'", "there is no 'data-dir'; did you mean data_dir?"),
        ({}, {}, "[[pools]]\nname = 'p'", "did you mean pool?"),
        ({}, {}, "wholly_strange = 1", "there are name, data_dir, socket"),
        ({}, {"WEAVEIPAM_NAMES": "x"}, None, "did you mean WEAVEIPAM_NAME?"),
        ({}, {}, "name = 7", "name: expected a string, not 7"),
        ({}, {}, "join = 'a:1'\nhttp_public = 'perhaps'", "http_public: expected true or false"),
        ({}, {}, "sync_wait = true", "sync_wait: expected a number, not True"),
        ({}, {"WEAVEIPAM_SYNC_WAIT": "5s"}, None, "$WEAVEIPAM_SYNC_WAIT: expected a number, not '5s'"),
        ({}, {}, "join = [1]", "join: expected a list of strings"),
        ({}, {}, "pool = 'p=10.0.0.0/24'\nuvloop = 1", "uvloop: expected true or false"),
        ({}, {}, "pool = [1]", "pool: expected [[pool]] tables"),
        ({"pool": ("p",)}, {}, None, "--pool: expected NAME=RANGE[,RANGE...], not 'p'"),
        ({}, {"WEAVEIPAM_POOL": "=x p"}, None, "$WEAVEIPAM_POOL: expected NAME=RANGE"),
        ({}, {}, "name = ", "config.toml: "),
    ],
)
def test_what_is_unknown_or_of_a_wrong_type_is_a_problem(
    flags: dict[str, object], environ: dict[str, str], toml: str | None, sentence: str, tmp_path: Path
) -> None:
    """Unknown names and wrong types are named with their source, and with what was probably meant."""
    _, problems = said(flags, environ, toml, tmp_path)

    assert 1 == len(problems)
    assert sentence in problems[0]


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """A missing file, a directory and bytes that are no text are problems, not crashes."""
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\xff\xfe\x00")
    for file in (tmp_path / "missing", tmp_path, garbage):
        problems: list[str] = []

        assert {} == gather({}, {}, file, problems)
        assert [True] == [one.startswith(f"{file}: ") for one in problems]


@pytest.mark.parametrize(
    "name",
    [
        "WEAVEIPAM_SERVICE_HOST",
        "WEAVEIPAM_SERVICE_PORT_HTTP",
        "WEAVEIPAM_PORT",
        "WEAVEIPAM_PORT_80_TCP_ADDR",
        "WEAVEIPAM_METRICS_PORT_9100_TCP",
        "WEAVEIPAM_CONFIG",
        "WEAVEIPAM_CNI_SOCKET",
        "WEAVEIPAM_CNI_TIMEOUT_MS",
        "OTHER",
    ],
)
def test_what_others_put_into_the_environment_is_left_alone(name: str, tmp_path: Path) -> None:
    """Variables of Kubernetes services and of our other programs are no unknown options."""
    assert ({}, []) == said({}, {name: "tcp://10.0.0.1:80"}, None, tmp_path)


def test_every_option_is_in_the_reference() -> None:
    """The reference page has every option, in each of its three spellings."""
    page = Path(__file__).parents[2].joinpath("docs/reference/config.md").read_text()
    missing = [
        spelling
        for option in OPTIONS
        for spelling in (f"`{option.key}`", f"`{option.flag}", f"`{option.variable}`")
        if spelling not in page
    ]

    assert [] == missing
