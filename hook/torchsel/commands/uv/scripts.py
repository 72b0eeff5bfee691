"""``torchsel run`` of a script that has metadata of its own (PEP 723)."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from torchsel.answer import Answer, Draft, Program
from torchsel.errors import TorchselError
from torchsel.pipeline import report
from torchsel.pipeline.script import environment_python, routed_for_run
from torchsel.project.toml_file import read_text
from torchsel.strategies.protocol import Options
from torchsel.uv.call import UvCall
from torchsel.uv.halves import for_script
from torchsel.uv.program import Uv, dotted

_BLOCK = "# /// script"
_NOT_FOR_SCRIPTS = frozenset(
    {"--with", "-w", "--with-editable", "--with-requirements"}
    | {"--env-file", "--no-sources", "--frozen", "--locked"}
)
_OLDEST_UV = (0, 6, 10)
"""The first uv that has both ``sync --script`` and ``python find --script``."""


def started(call: UvCall, options: Options, uv: Uv, draft: Draft) -> Answer | None:
    """Run a script that has metadata of its own with this machine's build, without writing to it.

    None where it is plain uv's.

    Raises:
        ConfigError: the block or its configuration is wrong.
        MachineError: nothing is usable with ``fallback = "error"``, or uv can't make the environment.
    """
    path = call.script
    if call.command == "run" and path is None:
        _say_unseen(call, draft)
    routed = routed_for_run(path, options) if path and path.is_file() else None
    if routed is None or path is None:
        return None
    obstacle = _obstacle(call, uv)
    if obstacle:
        draft.warn(
            f"{obstacle}, and uv takes its own torch;"
            f" 'torchsel apply --script {path}' writes the choice into the script"
        )
        return None
    for note in routed.notes:
        draft.warn(note)
    report.warn(routed.inputs, draft)
    draft.detail(f"{path.name}: {routed.inputs.decision.tag} ({report.reason(routed.inputs)})")
    draft.flush()
    python = environment_python(routed, uv, list(for_script(call)))
    # uv would start it in there, and relative paths of its arguments are meant so
    if folders := call.values_of("--directory"):
        os.chdir(folders[-1])
    search = os.pathsep.join([str(python.parent), uv.environ.get("PATH", "")])
    inside = {"VIRTUAL_ENV": str(python.parent.parent), "PATH": search, "UV": str(uv.program)}
    return Answer(program=Program(path=python, arguments=call.target, environ={**uv.environ, **inside}))


def has_metadata(script: Path | None) -> bool:
    """Whether it is a script with a block of its own; one that can't be read is taken for one."""
    if script is None or not script.is_file():
        return False
    try:
        return _BLOCK in read_text(script)
    except TorchselError:
        return True


def _obstacle(call: UvCall, uv: Uv) -> str:
    """Why uv can't be told of the choice."""
    refused = sorted(_NOT_FOR_SCRIPTS.intersection(call.options))
    if refused:
        return f"with {refused[0]} torchsel can't choose a torch for a script"
    version = uv.version()
    if version and version < _OLDEST_UV:
        return (
            f"uv {dotted(version)} can't make a script's environment, which {dotted(_OLDEST_UV)} can"
            " ('uv self update')"
        )
    return ""


def _say_unseen(call: UvCall, draft: Draft) -> None:
    """Name a script that is not looked into, as it is no file."""
    named = "".join(call.target[:1])
    if "://" in named:
        how = f"{named}: a script at an address is run by plain uv, with any torch"
    elif named == "-" and _BLOCK in _read_ahead():
        how = "a script from standard input is run by plain uv, with the torch"
    else:
        return
    draft.warn(f"{how} that it names itself; save it to a file to have this machine's build")


def _read_ahead() -> str:
    """What standard input has to its end, which is there to be read again; empty for a terminal."""
    if sys.stdin.isatty():
        return ""
    content = sys.stdin.buffer.read()
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        os.dup2(file.fileno(), sys.stdin.fileno())
    return content.decode(errors="replace")
