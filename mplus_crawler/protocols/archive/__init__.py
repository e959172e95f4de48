"""Files of a published data set, in a folder, a tar or a zip; nothing is unpacked to disk.

:mod:`.containers` reads folders and archives within :mod:`.bounds`; :mod:`.members` finds the
files of one folder of the data set, and :mod:`.index` the ids that the data set itself lists.
"""

from mplus_crawler.protocols.archive.bounds import DAMAGE, ArchiveError
from mplus_crawler.protocols.archive.containers import is_archive, open_tar, open_zip
from mplus_crawler.protocols.archive.index import listed_ids
from mplus_crawler.protocols.archive.members import Member, members

__all__ = [
    "DAMAGE",
    "ArchiveError",
    "Member",
    "is_archive",
    "listed_ids",
    "members",
    "open_tar",
    "open_zip",
]
