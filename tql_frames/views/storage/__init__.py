"""Views on disk: the file, and what tells whether a frame is still the one that a view was drawn from."""

from tql_frames.views.storage.file import Description, read_file, write_file
from tql_frames.views.storage.fingerprint import Fingerprint, Needs, differences, fingerprint, names_of

__all__ = ["Description", "Fingerprint", "Needs", "differences", "fingerprint", "names_of", "read_file", "write_file"]
