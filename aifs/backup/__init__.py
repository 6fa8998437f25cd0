"""`aifs backup` and `aifs restore`: one consistent copy of the database and of every stored file.

A backup is a folder, or a `.tar` / `.tar.zst` of the same names:

    snapshots/TIME/backup.json       versions, counts, a mark of the SECRET_KEY; what a reader must know first
    snapshots/TIME/checkpoints.json  [{"job", "step", "manifest"}], for the runs that are to go on
    snapshots/TIME/files.txt         a line `sha256 bytes` for every file that belongs to it
    snapshots/TIME/database.dump     pg_dump's custom format
    snapshots/TIME/secrets.json      only when asked for
    objects/ab/abcdef…               one file per SHA-256; a folder's snapshots share them, so the next one is small
    snapshots/TIME/end.json          hashes of the members above; its absence means that the backup is not whole

The database's snapshot is taken first. Stored files are never changed and are registered after they are written, so
whatever the snapshot names is in storage by then.
"""

FORMAT = 1


class BackupError(Exception):
    """The backup cannot be made, read or brought back; the message says why and what to do."""
