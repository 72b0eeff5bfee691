"""Where the commands of README and guides are run: a project, recorded hosts, and stand-ins for clusters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.toolbox import CASES, HOSTS, Project

PROJECT = (
    '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\ndependencies = ["torch"]\n\n'
)
TABLE = f"{PROJECT}[tool.torchsel]\n"
RUNS = '#!/bin/sh\nexec "$@"\n'
TELLS = '#!/bin/sh\necho "$0 $*"\n'
NODES = "n1 gpu:v100:4 v100\\nn2 gpu:h100:2 h100\\nlogin (null) (null)\\n"
POOLS = json.loads((CASES / "inventories" / "kubernetes-nvidia.in").read_text(encoding="utf-8"))["items"]
KNOWN = json.dumps({"items": [pool for pool in POOLS if "Z900" not in str(pool)]})
ENGINES = {
    "sinfo": f'#!/bin/sh\nprintf "{NODES}"\n',
    "kubectl": f"#!/bin/sh\necho '{KNOWN}'\n",
    "srun": RUNS,
    "docker": TELLS,
    "dask": TELLS,
    "ray": TELLS,
}
"""Programs that are not here, as shell scripts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Where the commands of a guide are run, one after the other, on a GTX 1080 Ti.

    ``ready`` comes before all of them, ``before`` before one; ``files`` are names and texts.
    """

    pyproject: str = TABLE
    ready: tuple[str, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def set_stage(demo: Project, scene: Scene) -> None:
    """Recorded hosts, a script, a repository, and the programs of `ENGINES`."""
    folder = demo.root.parent / "bin"
    folder.mkdir(exist_ok=True)
    for name, text in ENGINES.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    demo.env["PATH"] = f"{folder}:{demo.env['PATH']}"
    (demo.root / "hosts").mkdir()
    for name in ("gtx1080ti", "h200", "cpu"):
        shutil.copy(HOSTS / f"{name}.json", demo.root / "hosts")
    (demo.root / "train.py").write_text("import torch\nprint(torch.__version__)\n", encoding="utf-8")
    for name, text in scene.files.items():
        (demo.root / name).write_text(text, encoding="utf-8")
    for command in ("git init -q", *scene.ready):
        demo.run("bash", "-c", command)
