"""What the commands that decide on a machine take of the command line."""

from __future__ import annotations

from dataclasses import replace

from torchsel.commands.context import Context
from torchsel.errors import NoProjectError
from torchsel.project.folders import find_pyproject
from torchsel.strategies.protocol import Options


def options(context: Context) -> Options:
    """Where to look, what to want and how far to go."""
    given = context.arguments
    return Options(
        folder=context.start,
        environ=context.environ,
        backend=given.backend,
        host=next(iter(given.all_hosts), None),
        call=context.call if context.is_uvs else None,
        upgrade=given.upgrade,
        locks=not given.no_lock,
        anew=given.no_cache,
    )


def options_anywhere(context: Context) -> Options:
    """The same; in a folder without a project they ask what the machine would take in one."""
    found = options(context)
    try:
        find_pyproject(found.folder)
    except NoProjectError:
        return replace(found, without_project=True)
    return found
