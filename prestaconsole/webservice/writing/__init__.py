"""Writing whole records safely: merging, looking before a POST. Works with a writer that only changes can make."""

from prestaconsole.webservice.writing.merge import differences, merged, read_only
from prestaconsole.webservice.writing.once import Posted, post_once, post_state
from prestaconsole.webservice.writing.records import Changed, change_record

__all__ = [
    "Changed",
    "Posted",
    "change_record",
    "differences",
    "merged",
    "post_once",
    "post_state",
    "read_only",
]
