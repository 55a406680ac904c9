"""Store views on disk: the file, and fingerprints that show whether a frame is still the one of a view."""

from tql_frames.views.storage.file import Description, read_file, write_file
from tql_frames.views.storage.fingerprint import Fingerprint, Needs, differences, fingerprint, names_of

__all__ = ["Description", "Fingerprint", "Needs", "differences", "fingerprint", "names_of", "read_file", "write_file"]
