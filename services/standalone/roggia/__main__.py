"""Entry point of the `roggia` command: one clear line for an error, and a documented exit status.

0 done · 1 failed · 2 wrong usage or setting, or no such thing · 3 another `up` holds the data ·
4 nothing answers, or no operator takes the job · 5 the stack failed ·
6 differences found (`topics plan`) · 7 a group is behind, 8 one does not work (`status`) ·
9 neither is shown (`eval run`) · 130 interrupted
"""

from __future__ import annotations

import logging
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit."""
    from roggia_runtime.errors import RoggiaError
    from roggia_schemas.errors import SchemasError

    from roggia.cli.app import app
    from roggia.cli.output import err
    from roggia.errors import exit_code

    # Without a handler, Python prints aiokafka's own complaints above our one line. Services set up their logging.
    logging.Logger.manager.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        app()
    except (RoggiaError, SchemasError) as failed:
        err.print(f"error: {failed}", style="red", markup=False, soft_wrap=True)
        sys.exit(exit_code(failed))
    except OSError as failed:
        place = f"{failed.filename}: " if failed.filename else ""
        err.print(f"error: {place}{failed.strerror or failed}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
