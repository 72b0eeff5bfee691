"""``torchsel init``: the table, routing taken over, the diff, and the same releases in uv.lock."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.index import Index
from tests.support.toolbox import ROOT, Project, host_files
from torchsel.commands.init import prepare
from torchsel.errors import ConfigError
from torchsel.hosts.load import read_host
from torchsel.pipeline.inputs import read_inputs, read_strategy
from torchsel.pipeline.plan import make_plan
from torchsel.pipeline.takeover import take_over
from torchsel.strategies.protocol import Options, Setting

CORPUS = ROOT / "tests" / "cases" / "adopted"
SHAPES = sorted((ROOT / "tests" / "cases" / "init").iterdir())
GOLDEN = sorted(CORPUS.glob("*/after-init.toml"))
HEAD = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
FAMILY = ("torch", "torchvision")
ADOPTED = sorted(
    path.name
    for path in CORPUS.iterdir()
    if not path.name.startswith("guide-") or path.name == "guide-extras"
)

ROUND_TRIPS = {
    "guide-default": "2.15.0+cu132",
    "guide-cpu-index": "2.15.0+cpu",
    "guide-cu128-index": "2.11.0+cu130",
    "guide-markers": "2.11.0+cu130",
    "guide-extras": "2.11.0+cu128",
    "pinned-in-extras": "2.7.1+cu126",
    "four-families": "2.15.0+cu130",
    "default-group": "2.8.0+cu126",
    "default-index-for-one": "2.8.0",
    "beside-a-dependency": "2.14.1+cu126",
    "pairs": "2.8.0+cu128",
}
"""What an H200 gets after init, by case: the release that uv.lock had for Linux."""


def start(path: Path, strategy: str | None = None, host: str = "h200") -> str:
    """The text that init would write."""
    machine = read_host(str(host_files()[host]), "test")
    options = Options(folder=path.parent, environ={})
    return prepare(options, host=machine, strategy=strategy).outcome.after


def setting(case: str) -> Setting:
    return read_strategy(Options(folder=CORPUS / case, environ={})).setting


@pytest.mark.parametrize("after", GOLDEN, ids=lambda path: path.parent.name)
def test_the_text(after: Path) -> None:
    assert start(after.with_name("pyproject.toml")) == after.read_text()


@pytest.mark.parametrize("case", SHAPES, ids=lambda path: path.name)
def test_shapes(case: Path) -> None:
    """Each is refused by its own name, or has this table written."""
    expected = tomllib.loads((case / "expected.toml").read_text())
    if sentence := expected.get("refused"):
        with pytest.raises(ConfigError) as refused:
            start(case / "pyproject.toml", expected.get("strategy"))
        assert sentence in str(refused.value)
    else:
        after = tomllib.loads(start(case / "pyproject.toml", expected.get("strategy")))
        assert after["tool"]["torchsel"] == expected["table"]


@pytest.mark.parametrize("case", ROUND_TRIPS)
def test_round_trip(case: str, project: MakeProject, index: Index, hosts: dict[str, Path]) -> None:
    demo = copied(case, project, index)
    demo.uv("lock")
    before = demo.text(), releases(demo)
    dry = demo.torchsel("--host", str(hosts["h200"]), "init", "--dry-run")
    assert (demo.text(), releases(demo)) == before
    done = demo.torchsel("--host", str(hosts["h200"]), "init")
    assert done.out == dry.out
    assert done.out.startswith("--- a/pyproject.toml")
    assert releases(demo) == before[1]
    demo.torchsel("check")
    demo.uv("lock", "--check")
    written = demo.text()
    assert demo.torchsel("--host", str(hosts["h200"])).err == ""
    again = demo.torchsel("--host", str(hosts["h200"]), "init")
    assert "has [tool.torchsel] already" in again.err
    assert demo.text() == written
    demo.torchsel("--host", str(hosts["h200"]), "sync", "--locked")
    assert demo.installed("torch") == ROUND_TRIPS[case]


def test_quick_start(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(HEAD + "dependencies = []\n", env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.uv("add", "torch<2.15")
    demo.torchsel("init")
    demo.uv("sync")
    assert demo.installed("torch") == "2.14.1+cu126"


def test_before_torch_is_required(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(HEAD + "dependencies = []\n", env={"TORCHSEL_HOST": str(hosts["cpu"])})
    told = demo.torchsel("init")
    assert "'torchsel add torch' adds it" in told.err
    demo.torchsel("add", "torch")
    assert demo.installed("torch") == "2.15.0+cpu"


def test_groups_and_extras_from_nothing(project: MakeProject, hosts: dict[str, Path]) -> None:
    for strategy, name in (("groups", "torch-cu132"), ("extras", "cu132")):
        demo = project(HEAD + 'dependencies = ["torch"]\n', name=strategy)
        demo.torchsel("--host", str(hosts["h200"]), "init", "--strategy", strategy)
        data = tomllib.loads(demo.text())
        wanted = {"strategy": strategy, "backends": ["cpu", "cu132"]}
        assert data["tool"]["torchsel"] == wanted | (
            {"default-backend": "none"} if strategy == "groups" else {}
        )
        kept = data["dependency-groups"] if strategy == "groups" else data["project"]["optional-dependencies"]
        assert name in kept
        demo.torchsel("check")
        demo.torchsel("--host", str(hosts["h200"]), "sync")
        assert demo.installed("torch") == "2.15.0+cu132"


def test_a_failing_lock_changes_neither_file(
    project: MakeProject, index: Index, hosts: dict[str, Path]
) -> None:
    demo = copied("guide-cpu-index", project, index)
    demo.uv("lock")
    before = demo.text(), (demo.root / "uv.lock").read_bytes()
    failed = demo.torchsel("--host", str(hosts["h200"]), "--backend", "cu999", "init", code=3)
    assert "uv lock failed" in failed.err
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == before


def test_a_backend_that_is_asked_for_is_written(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(HEAD + 'dependencies = ["torch"]\n', env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel("--backend", "cu126", "init")
    assert tomllib.loads(demo.text())["tool"]["torchsel"] == {"backend": "cu126"}
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.14.1+cu126"


def test_everything_else_stays(tmp_path: Path) -> None:
    text = "# top\r\n[project]  # p\r\nname = 'demo'\r\ndependencies = [\r\n  'torch', # t\r\n]\r\n"
    (tmp_path / "pyproject.toml").write_bytes(text.encode())
    after = start(tmp_path / "pyproject.toml")
    assert after.startswith(text)
    assert after.count("\n") == after.count("\r\n")


def test_without_anything_only_what_is_needed_is_written(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(HEAD + 'dependencies = ["torch"]\n')
    assert tomllib.loads(start(tmp_path / "pyproject.toml"))["tool"]["torchsel"] == {}


def table(tmp_path: Path, sources: str, **urls: str) -> dict[str, object]:
    """The table for a project with these sources of torch and indexes."""
    indexes = "".join(
        f'[[tool.uv.index]]\nname = "{name}"\nurl = "{url}"\nexplicit = true\n' for name, url in urls.items()
    )
    text = f'{HEAD}dependencies = ["torch"]\n[tool.uv.sources]\ntorch = {sources}\n{indexes}'
    (tmp_path / "pyproject.toml").write_text(text)
    after = start(tmp_path / "pyproject.toml")
    assert start_again(tmp_path, after) == after
    return dict(tomllib.loads(after)["tool"]["torchsel"])


def start_again(tmp_path: Path, text: str) -> str:
    """The text that ``torchsel`` makes of what init wrote, which is to be the same."""
    (tmp_path / "pyproject.toml").write_text(text)
    found = read_inputs(Options(folder=tmp_path, host=str(host_files()["h200"]), environ={}))
    return make_plan(found.strategy, found.selection.backend).text


def test_a_mirror_is_kept(tmp_path: Path) -> None:
    found = table(tmp_path, '{ index = "x" }', x="https://mirror.example/pytorch/whl/cu128/")
    assert found == {"index-url": "https://mirror.example/pytorch/whl"}


def test_a_channel_is_kept(tmp_path: Path) -> None:
    found = table(tmp_path, '{ index = "x" }', x="https://download.pytorch.org/whl/nightly/cpu")
    assert found == {"backend": "cpu", "channel": "nightly"}


def test_an_extra_that_is_no_choice_is_not_taken_over(tmp_path: Path) -> None:
    text = f"""{HEAD}
[project.optional-dependencies]
gpu = ["torch==2.8.0"]

[tool.uv.sources]
torch = {{ index = "pytorch-cu128", extra = "gpu" }}

[[tool.uv.index]]
name = "pytorch-cu128"
url = "https://download.pytorch.org/whl/cu128"
explicit = true
"""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match="for an extra or group that conflicts with no other"):
        start(tmp_path / "pyproject.toml")


def test_indexes_of_other_packages_follow_their_name(tmp_path: Path) -> None:
    sources = '{ index = "gpu" }\nother = { index = "gpu" }\nmine = { index = "mine" }'
    table(tmp_path, sources, gpu="https://download.pytorch.org/whl/cu128", mine="https://mine.example/simple")
    after = tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["uv"]
    assert after["sources"]["other"] == [{"index": "pytorch-cu128"}]
    assert after["sources"]["mine"] == {"index": "mine"}
    names = [entry["name"] for entry in after["index"]]
    assert names[:2] == ["pytorch-cu128", "mine"]


@pytest.mark.parametrize(
    ("sources", "urls", "reason"),
    [
        ('{ git = "https://git.example/t" }', {}, "torch comes from a git source"),
        (
            '{ index = "x" }',
            {"x": "https://packages.example/simple"},
            "index x has a URL that names no backend",
        ),
        ('{ index = "x" }', {"x": "https://m.example/pytorch-cu128/simple"}, "does not end in 'cu128'"),
        ('{ index = "x" }', {"x": "https://me:secret@m.example/cu128"}, "credentials don't belong here"),
        (
            '[{ index = "a", marker = "sys_platform == \'linux\'" }, '
            '{ index = "b", marker = "sys_platform != \'linux\'" }]',
            {"a": "https://a.example/cu128", "b": "https://b.example/cpu"},
            "have no URL in common",
        ),
    ],
)
def test_what_cannot_be_taken_over(tmp_path: Path, sources: str, urls: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        table(tmp_path, sources, **urls)
    assert reason in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("case", ADOPTED)
def test_extras_and_groups_stay_as_they_are(case: str) -> None:
    """Byte for byte, a workspace member's too: only the table is new."""
    folder = CORPUS / case
    before = (folder / "pyproject.toml").read_text()
    after = start(folder / "pyproject.toml", host="cpu")
    assert after == f'{before}\n[tool.torchsel]\nstrategy = "adopted"\n'


@pytest.mark.parametrize(
    ("case", "strategy", "entry"),
    [
        ("guide-extras", "pin", "torch is routed by extras, which --strategy pin does not write"),
        ("guide-extras", "groups", "torch is routed by extras, which --strategy groups does"),
        ("pairs", "extras", "project.optional-dependencies.tpu requires 'testkit' too"),
        ("other-sources", "extras", "tool.uv.sources.torch has {'git': "),
        ("workspace-forwarded", "extras", "a workspace member has a part in them"),
        ("default-index-for-one", "extras", "tool.uv.sources.torch has nothing for"),
    ],
)
def test_what_stands_in_the_way_of_another_strategy(case: str, strategy: str, entry: str) -> None:
    with pytest.raises(ConfigError, match="'torchsel init' adopts them as they are") as refused:
        take_over(setting(case), strategy)
    assert entry in str(refused.value)


def test_what_only_one_backend_has_is_taken_out_first() -> None:
    with pytest.raises(ConfigError, match="first take it out: uv remove --frozen pytorch-triton-rocm"):
        take_over(setting("guide-rocm"), None)


def test_the_guides_own_shape_is_taken_over(
    project: MakeProject, index: Index, hosts: dict[str, Path]
) -> None:
    demo = copied("guide-extras", project, index)
    demo.uv("lock")
    before = tomllib.loads(demo.text())
    demo.torchsel("--host", str(hosts["h200"]), "init", "--strategy", "extras")
    after = tomllib.loads(demo.text())
    assert after["tool"].pop("torchsel") == {
        "strategy": "extras",
        "backends": {"cpu": "cpu", "cu128": "cu128"},
        "index-url": index.whl,
    }
    assert after == before
    demo.torchsel("check")
    demo.torchsel("--host", str(hosts["h200"]), "sync", "--locked")
    assert demo.installed("torch") == "2.11.0+cu128"


def copied(case: str, project: MakeProject, index: Index) -> Project:
    """A case of the corpus with the indexes on loopback, and no index-url beside the file."""
    text = (CORPUS / case / "pyproject.toml").read_text()
    text = text.replace("https://download.pytorch.org/whl", index.whl)
    return project(text.replace("https://packages.example/simple", index.default_index))


def releases(demo: Project) -> list[tuple[str, str]]:
    """Public releases of torch and its companions in uv.lock."""
    return sorted({(name, version.partition("+")[0]) for name in FAMILY for version in demo.locked(name)})


def test_a_lock_that_forks_by_python_keeps_each_release(project: MakeProject, hosts: dict[str, Path]) -> None:
    old, new = "torch<2.14; python_version < '3.13'", "torch<2.15; python_version >= '3.13'"
    demo = project(f'{HEAD}dependencies = ["{old}", "{new}"]\n')
    demo.uv("lock")
    before = releases(demo)
    assert before == [("torch", "2.13.0"), ("torch", "2.14.1")]
    demo.torchsel("--host", str(hosts["gtx1080ti"]), "init")
    assert releases(demo) == before
    demo.uv("lock", "--check")
    demo.torchsel("check")
