"""What the archive knows: values and pure functions.

Law: nothing below this package opens a socket, a file or a database, reads a clock, starts a thread or logs.
Everything here can be called a million times in a test and leave no trace. ``pacs.cli`` alone is exempt: it is
the composition root, where all rooms meet.
"""

__version__ = "0.1.0"
