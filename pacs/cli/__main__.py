"""``python -m pacs.cli`` is ``pacs``: the way the supervisor starts its parts.

Law: nothing else; without the guard, importing this module would run the command.
"""

from pacs.cli import main

if __name__ == "__main__":
    main()
