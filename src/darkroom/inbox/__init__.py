"""Watched folders: what is dropped there becomes a job, once, with a report beside it.

SQL decides, files follow: a drop is written down before its file is moved, and a content is
accepted once an inbox. So whatever dies, the next watcher reads the books and goes on.
"""

from darkroom.inbox.books import enroll, inboxes, remove
from darkroom.inbox.inbox import Inbox
from darkroom.inbox.place import Place
from darkroom.inbox.places import address, open_place
from darkroom.inbox.terms import Terms
from darkroom.inbox.watch import Watch

__all__ = [
    "Inbox",
    "Place",
    "Terms",
    "Watch",
    "address",
    "enroll",
    "inboxes",
    "open_place",
    "remove",
]
