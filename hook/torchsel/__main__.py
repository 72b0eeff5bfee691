"""The program: what is on record is answered at once, the rest is the command line's.

Run as ``torchsel`` or ``python -m torchsel``. Nothing is imported here that a repeated answer does without.
"""

import os
import sys

from torchsel.records.replay import try_answer


def main() -> int:
    """Run torchsel with the process's arguments and return its exit code."""
    answered = try_answer(sys.argv[1:], os.environ)
    if answered is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(answered)  # taking the interpreter down would be a tenth of the whole time
    from torchsel import cli  # noqa: PLC0415 - ten times as slow to import

    return cli.main()


if __name__ == "__main__":
    if sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(os.curdir):
        del sys.path[0]  # "python -m" puts it there, and a stranger's packaging.py may lie in it
    sys.exit(main())
