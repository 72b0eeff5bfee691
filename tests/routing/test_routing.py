"""What a routing says, and what it changes in a file: torchsel's own entries and nothing of the user's."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from packaging.markers import Marker

from torchsel.backend import Backend
from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.project.present import Present
from torchsel.project.requirement import environment
from torchsel.routing.changes import find_changes
from torchsel.routing.wanted import Alternative, PackageIndex, Routing, platform_marker, to_one, to_several
from torchsel.toml.edits import apply_to_data

BASE = "https://download.pytorch.org/whl"
FAMILY = ("torch", "torchvision", "torchaudio", "triton-rocm", "triton-xpu")
LINUX = "sys_platform == 'linux'"


def packages_of(backend: Backend, names: Collection[str], base: str = BASE) -> dict[str, PackageIndex]:
    return dict.fromkeys(names, PackageIndex(backend.index_name, backend.index_url(base)))


def pinned(
    tag: str = "cu130",
    packages: Collection[str] = ("torch",),
    *,
    anchored: Collection[str] = (),
    marker: str = "",
    base: str = BASE,
) -> Routing:
    backend = Backend.parse(tag)
    way = Alternative(backend=backend, packages=packages_of(backend, packages, base))
    return to_one(way, anchored=anchored, marker=marker)


def routed(
    text: str, routing: Routing, *, ours: Collection[str] = FAMILY
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The document with the routing in it, which a second run finds in sync, and what was left alone."""
    data = tomllib.loads(text)
    found = find_changes(Present(data), routing, ours=ours)
    after = apply_to_data(data, found.edits)
    again = find_changes(Present(after), routing, ours=ours)
    assert again.edits == ()
    assert again.left_alone == found.left_alone
    assert data == tomllib.loads(text), "the document given is not changed"
    return after, found.left_alone


def index(tag: str, more: str = "explicit = true", *, base: str = BASE) -> str:
    return f'[[tool.uv.index]]\nname = "pytorch-{tag}"\nurl = "{base}/{tag}"\n{more}\n'


def source(tag: str, package: str = "torch", marker: str = "") -> str:
    condition = f', marker = "{marker}"' if marker else ""
    return f'tool.uv.sources.{package} = [{{ index = "pytorch-{tag}"{condition} }}]\n'


MINE = '[[tool.uv.index]]\nname = "mine"\nurl = "https://mine.example/simple"\n'
CU130 = source("cu130") + index("cu130")

PINS: dict[str, tuple[str, Routing, str]] = {
    "an empty file": ("", pinned(), CU130),
    "beside the user's index": (MINE, pinned(), source("cu130") + MINE + index("cu130")),
    "in sync": (CU130, pinned(), CU130),
    "in sync, the source as one table": (
        'tool.uv.sources.torch = { index = "pytorch-cu130" }\n' + index("cu130"),
        pinned(),
        'tool.uv.sources.torch = { index = "pytorch-cu130" }\n' + index("cu130"),
    ),
    "another backend takes the entry's place": (
        source("cpu") + index("cpu") + MINE,
        pinned(),
        source("cu130") + index("cu130") + MINE,
    ),
    "from several to one": (
        source("cpu") + source("cu126", "torchvision") + index("cpu") + MINE + index("cu126"),
        pinned(packages=["torch", "torchvision"]),
        source("cu130") + source("cu130", "torchvision") + index("cu130") + MINE,
    ),
    "an entry of the new backend is there beside the old": (
        source("cpu") + index("cpu") + index("cu130"),
        pinned(),
        CU130,
    ),
    "a mirror": (
        CU130,
        pinned(base="https://mirror.example/whl"),
        source("cu130") + index("cu130", base="https://mirror.example/whl"),
    ),
    "back from a mirror": (source("cu130") + index("cu130", base="https://mirror.example"), pinned(), CU130),
    "from nightly": (source("cu130") + index("cu130", base=f"{BASE}/nightly"), pinned(), CU130),
    "explicit is missing": (source("cu130") + index("cu130", ""), pinned(), CU130),
    "explicit is false": (source("cu130") + index("cu130", "explicit = false"), pinned(), CU130),
    "a user's key of our index stays": (
        source("cu130") + index("cu130", 'authenticate = "always"'),
        pinned(),
        source("cu130") + index("cu130", 'explicit = true\nauthenticate = "always"'),
    ),
    "an old index with a user's key stays": (
        source("cpu") + index("cpu", "default = true"),
        pinned(),
        source("cu130") + index("cpu", "default = true") + index("cu130"),
    ),
    "an index that the user's own source uses stays": (
        source("cpu") + source("cpu", "mypackage") + index("cpu"),
        pinned(),
        source("cu130") + source("cpu", "mypackage") + index("cpu") + index("cu130"),
    ),
    "a stale source goes, and its index": (
        source("cpu") + source("cpu", "torchaudio") + index("cpu"),
        pinned(),
        CU130,
    ),
    "a name that is not normalised": (
        'tool.uv.sources."Torch" = { index = "pytorch-cpu" }\n'
        'tool.uv.sources."Torch_Audio" = { index = "pytorch-cpu" }\n' + index("cpu"),
        pinned(packages=["torch", "torch-audio"]),
        'tool.uv.sources."Torch" = { index = "pytorch-cu130" }\n'
        'tool.uv.sources."Torch_Audio" = { index = "pytorch-cu130" }\n' + index("cu130"),
    ),
    "a marker": (CU130, pinned(marker=LINUX), source("cu130", marker=LINUX) + index("cu130")),
    "a marker goes": (source("cu130", marker=LINUX) + index("cu130"), pinned(), CU130),
    "an index of like name is the user's": (
        '[[tool.uv.index]]\nname = "pytorch"\nurl = "https://download.pytorch.org/whl/cpu"\n',
        pinned(),
        source("cu130")
        + '[[tool.uv.index]]\nname = "pytorch"\nurl = "https://download.pytorch.org/whl/cpu"\n'
        + index("cu130"),
    ),
    "an index with credentials is the user's": (
        index("cpu", base="https://alice:s3cr3t@mirror.example"),
        pinned(),
        source("cu130") + index("cpu", base="https://alice:s3cr3t@mirror.example") + index("cu130"),
    ),
    "indexes of which the user's names fit by chance": (
        index("cpu", base="https://mine.example/x").replace("/x/cpu", "/simple") + index("vague!"),
        pinned(),
        source("cu130")
        + index("cpu", base="https://mine.example/x").replace("/x/cpu", "/simple")
        + index("vague!")
        + index("cu130"),
    ),
    "anchors": (
        "",
        pinned("rocm7.2", ["torch", "triton-rocm"], anchored=["triton-rocm"], marker=LINUX),
        source("rocm7.2", marker=LINUX)
        + source("rocm7.2", "triton-rocm", LINUX)
        + f'[dependency-groups]\ntorchsel = ["triton-rocm; {LINUX}"]\n'
        + index("rocm7.2"),
    ),
    "stale anchors go": (
        source("rocm7.2")
        + source("rocm7.2", "triton-rocm")
        + '[dependency-groups]\ntorchsel = ["triton-rocm", "torch"]\ndev = ["pytest"]\n'
        + index("rocm7.2"),
        pinned(),
        source("cu130") + '[dependency-groups]\ndev = ["pytest"]\n' + index("cu130"),
    ),
    "an anchor edited by hand": (
        CU130 + '[dependency-groups]\ntorchsel = ["torch>=2.5"]\n',
        pinned(anchored=["torch"]),
        CU130 + '[dependency-groups]\ntorchsel = ["torch"]\n',
    ),
    "a group of the same name that is the user's": (
        '[dependency-groups]\ntorchsel = ["torchsel>=0.1"]\n',
        pinned(),
        CU130 + '[dependency-groups]\ntorchsel = ["torchsel>=0.1"]\n',
    ),
}


@pytest.mark.parametrize(("before", "routing", "after"), PINS.values(), ids=PINS)
def test_pin(before: str, routing: Routing, after: str) -> None:
    result, left_alone = routed(before, routing)
    assert result == tomllib.loads(after)
    assert left_alone == ()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('{ git = "https://example.org/torch" }', "a git source"),
        ('{ path = "../torch" }', "a path source"),
        ('{ url = "https://example.org/torch.whl", marker = "x" }', "a url source"),
        ("{ workspace = true }", "a workspace source"),
        ('{ index = "mine" }', "index 'mine'"),
        ('[{ index = "pytorch-cpu" }, { index = "mine", marker = "x" }]', "index 'pytorch-cpu'"),
        ('{ index = "pytorch-cpu", subdirectory = "x" }', "index 'pytorch-cpu'"),
        ('{ index = ["pytorch-cpu"] }', r"index"),
        ('"pytorch-cpu"', "a source of its own"),
    ],
)
def test_a_users_source_is_left_alone_and_told(entry: str, said: str) -> None:
    companion = f"tool.uv.sources.Torchvision = {entry}\n" + index("cpu") + MINE
    result, left_alone = routed(
        companion, pinned(packages=["torch", "torchvision"], anchored=["torchvision"])
    )
    assert result["tool"]["uv"]["sources"]["Torchvision"] == tomllib.loads(f"x = {entry}")["x"]
    assert result["tool"]["uv"]["sources"]["torch"] == [{"index": "pytorch-cu130"}]
    assert result.get("dependency-groups", {}).get("torchsel", []) == []
    assert len(left_alone) == 1
    assert left_alone[0].startswith(f"tool.uv.sources.Torchvision: routed to {said}")

    text = f"tool.uv.sources.torch = {entry}\n" + source("cpu", "torchvision") + index("cpu") + MINE
    result, left_alone = routed(text, pinned(packages=["torch", "torchvision"]))
    assert result == tomllib.loads(text), "a family split over two builds can't work"
    assert left_alone[0].startswith(f"tool.uv.sources.torch: routed to {said}")


def test_only_packages_of_ours_lose_a_stale_source() -> None:
    text = source("cpu") + source("cpu", "torchaudio") + index("cpu")
    result, _ = routed(text, pinned(), ours=["torch"])
    expected = source("cu130") + source("cpu", "torchaudio") + index("cpu") + index("cu130")
    assert result == tomllib.loads(expected)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            MINE + MINE.replace('"mine"', '"pytorch-cu130"'),
            r"^tool\.uv\.index\[1\]: the name 'pytorch-cu130'",
        ),
        (index("cu130", base="https://alice:s3cr3t@mirror.example"), r"^tool\.uv\.index\[0\]: the name"),
        ('[dependency-groups]\ntorchsel = ["pytest"]\n', r"^dependency-groups\.torchsel: the name is needed"),
        ('[dependency-groups]\ntorchsel = [{ include-group = "dev" }]\n', r"^dependency-groups\.torchsel: "),
    ],
)
def test_a_name_that_is_taken_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        routed(text, pinned(anchored=["torch"]))
    assert "s3cr3t" not in str(caught.value)


PLATFORMS = {
    "linux_x86_64": Host(system="linux", machine="x86_64"),
    "linux_aarch64": Host(system="linux", machine="aarch64"),
    "win_amd64": Host(system="win32", machine="x86_64"),
    "macos_arm64": Host(system="darwin", machine="aarch64"),
}


@pytest.mark.parametrize(
    "platforms",
    [
        {"linux_x86_64"},
        {"linux_aarch64"},
        {"win_amd64"},
        {"linux_x86_64", "linux_aarch64"},
        {"linux_x86_64", "win_amd64"},
        {"linux_aarch64", "win_amd64"},
        {"linux_x86_64", "linux_aarch64", "win_amd64", "macos_arm64"},
    ],
    ids=sorted,
)
def test_the_marker_holds_where_the_build_is(platforms: set[str]) -> None:
    marker = Marker(platform_marker(platforms))
    holds = {name for name, host in PLATFORMS.items() if marker.evaluate(environment(host, "3.12"))}
    assert holds == platforms - {"macos_arm64"}


def test_pin_repeats_no_package() -> None:
    routing = pinned(packages=["torch", "torchvision", "torch"], anchored=["torchvision", "torch"])
    assert list(routing.sources) == ["torch", "torchvision"]
    assert routing.groups == {"torchsel": ("torch", "torchvision")}


def test_what_is_routed() -> None:
    assert Present(tomllib.loads(CU130)).routed == "cu130"
    assert Present({}).routed is None
    assert Present(tomllib.loads('tool.uv.sources.torch = { index = "mine" }\n' + MINE)).routed is None
    assert Present(tomllib.loads(source("cpu"))).routed is None, "there is no such index"
    assert Present(tomllib.loads(CU130 + MINE + index("cpu"))).backends == {
        f"{BASE}/cu130": "cu130",
        f"{BASE}/cpu": "cpu",
    }


@pytest.mark.parametrize(
    "text",
    ["tool = 1", "tool.uv = []", "tool.uv.index = 1", "tool.uv.sources = []", "dependency-groups = []"],
)
def test_tables_of_the_wrong_type_hold_nothing(text: str) -> None:
    data = tomllib.loads(text)
    assert Present(data).routed is None
    assert find_changes(Present(data), pinned(), ours=FAMILY).left_alone == ()


def choices(*tags: str, defaults: Collection[str] = ()) -> Routing:
    parsed = [Backend.parse(tag) for tag in tags]
    listed = [
        Alternative(name=f"torch-{item.slug}", backend=item, packages=packages_of(item, ["torch"]))
        for item in parsed
    ]
    return replace(to_several(listed, "group"), defaults=tuple(defaults))


def test_groups_and_back_to_pin() -> None:
    before = (
        '[dependency-groups]\ndev = ["pytest"]\n[tool.uv]\nconflicts = [[{ extra = "a" }, { extra = "b" }]]\n'
    )
    grouped, _ = routed(before, choices("cpu", "rocm7.2"))
    assert Present(grouped).alternatives("group") == {"torch-cpu": "cpu", "torch-rocm7-2": "rocm7.2"}
    assert grouped["dependency-groups"] == {
        "dev": ["pytest"],
        "torch-cpu": ["torch"],
        "torch-rocm7-2": ["torch"],
    }
    assert grouped["tool"]["uv"]["conflicts"] == [
        [{"extra": "a"}, {"extra": "b"}],
        [{"group": "torch-cpu"}, {"group": "torch-rocm7-2"}],
    ]
    assert Present(grouped).routed is None
    back = apply_to_data(grouped, find_changes(Present(grouped), pinned(), ours=FAMILY).edits)
    assert back["dependency-groups"] == {"dev": ["pytest"]}
    assert back["tool"]["uv"]["conflicts"] == tomllib.loads(before)["tool"]["uv"]["conflicts"]
    assert back["tool"]["uv"]["sources"] == {"torch": [{"index": "pytorch-cu130"}]}


ASTRAL = "https://wheels.astral.sh/simple"


def astral(tag: str, more: str = "explicit = true", *, base: str = ASTRAL) -> str:
    return f'[[tool.uv.index]]\nname = "astral-{tag}"\nurl = "{base}/{tag}/"\n{more}\n'


def with_companions(*tags: str, packages: Collection[str] = ("flash-attn",)) -> list[Alternative]:
    return [
        Alternative(
            name=f"torch-{tag}",
            backend=Backend.parse(tag),
            packages={
                **packages_of(Backend.parse(tag), ["torch"]),
                **{name: PackageIndex(f"astral-{tag}", f"{ASTRAL}/{tag}/", False) for name in packages},
            },
        )
        for tag in tags
    ]


def test_companions_are_routed_without_a_marker_and_anchored() -> None:
    (way,) = with_companions("cu130")
    routing = to_one(way, anchored=["flash-attn"], marker=LINUX)
    after, _ = routed("", routing)
    assert after == tomllib.loads(
        source("cu130", marker=LINUX)
        + 'tool.uv.sources.flash-attn = [{ index = "astral-cu130" }]\n'
        + '[dependency-groups]\ntorchsel = ["flash-attn"]\n'
        + index("cu130")
        + astral("cu130")
    )
    there = Present(after)
    assert there.companions == {"flash-attn"}
    assert there.routed == "cu130"
    next_one = to_one(with_companions("cu126")[0], anchored=["flash-attn"], marker=LINUX)
    moved = apply_to_data(after, find_changes(there, next_one, ours=FAMILY).edits)
    assert [item["name"] for item in moved["tool"]["uv"]["index"]] == ["pytorch-cu126", "astral-cu126"]
    left = apply_to_data(after, find_changes(there, pinned(marker=LINUX), ours=[*FAMILY, "flash-attn"]).edits)
    assert left == tomllib.loads(source("cu130", marker=LINUX) + index("cu130"))


USERS_ASTRAL = {
    "as uv's command writes it": 'tool.uv.sources.mamba-ssm = { index = "astral-cu130" }\n'
    + astral("cu130", ""),
    "explicit": 'tool.uv.sources.mamba-ssm = { index = "astral-cu130" }\n' + astral("cu130"),
    "without a source": astral("cu130"),
    "of a mirror": astral("cu130", base="https://mirror.example/astral-wheels"),
    "with credentials": astral("cu130", base="https://alice:s3cr3t@mirror.example/simple"),
}


@pytest.mark.parametrize("text", USERS_ASTRAL.values(), ids=USERS_ASTRAL)
def test_the_users_own_index_of_another_party_stays(text: str) -> None:
    after, left_alone = routed(text, pinned(marker=LINUX), ours=[*FAMILY, "flash-attn"])
    whole = tomllib.loads(text + index("cu130"))
    assert after["tool"]["uv"]["index"] == whole["tool"]["uv"]["index"]
    assert after["tool"]["uv"]["sources"].get("mamba-ssm") == whole["tool"]["uv"].get("sources", {}).get(
        "mamba-ssm"
    )
    assert left_alone == ()


def test_a_companion_that_the_user_routes_stays_the_users() -> None:
    mirror = astral("cu130", base="https://mirror.example/astral-wheels")
    text = 'tool.uv.sources.flash-attn = { index = "astral-cu130" }\n' + mirror
    after, left_alone = routed(text, to_one(with_companions("cu130")[0], anchored=["flash-attn"], marker=""))
    assert after["tool"]["uv"]["sources"]["flash-attn"] == {"index": "astral-cu130"}
    assert after["tool"]["uv"]["index"] == tomllib.loads(mirror + index("cu130"))["tool"]["uv"]["index"]
    assert "dependency-groups" not in after or not after["dependency-groups"].get("torchsel")
    assert left_alone[0].startswith("tool.uv.sources.flash-attn: routed to index 'astral-cu130'")


def test_a_needed_index_of_another_place_is_refused() -> None:
    mirror = astral("cu130", base="https://mirror.example/astral-wheels")
    with pytest.raises(ConfigError, match="the name 'astral-cu130' is needed"):
        routed(mirror, to_one(with_companions("cu130")[0], anchored=["flash-attn"], marker=""))
