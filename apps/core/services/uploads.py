"""Files come in resumably (tus 1.0) or by a plain form, and go to storage when they are whole."""

import os
import re
import unicodedata
from pathlib import Path, PureWindowsPath
from typing import BinaryIO, Protocol

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import AifsError, Conflict, InvalidInput, LimitReached
from apps.core.models import Project, Upload
from apps.core.services.audit import record_audit
from apps.core.storage import storage

BLOCK = 1 << 20
NAME_LENGTH = 200


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class UploadLocked(AifsError):
    """Another request is writing to the same upload."""

    status, code = 423, "upload_locked"


def sanitise_filename(name: str) -> str:
    """A name without anything a file system or a shell could take for more.

    Raises InvalidInput for names that lead elsewhere (`../x`, `C:\\x`, NUL): an attack or a mistake, so not repaired.
    """
    name = unicodedata.normalize("NFC", name).strip()
    decoded = re.sub(r"%(25)*(2e|2f|5c|00)", lambda found: bytes.fromhex(found[2]).decode(), name, flags=re.IGNORECASE)
    parts = re.split(r"[/\\]", decoded)
    bad = len(parts) > 1 or "\0" in decoded or decoded in {"", ".", ".."} or PureWindowsPath(decoded).drive
    if bad:
        raise InvalidInput(
            _("“%(name)s” is not a plain file name."),
            hint=_("Send the name of the file only, without a folder."),
            name=name[:NAME_LENGTH],
        )
    name = re.sub(r"[\x00-\x1f\x7f<>:\"|?*]", "_", name).lstrip(".-") or "file"
    stem, dot, ending = name.rpartition(".")
    return f"{stem[: NAME_LENGTH - len(ending) - 1]}{dot}{ending}" if dot else name[:NAME_LENGTH]


@transaction.atomic
def create_upload(actor: Actor, project: Project, filename: str, size_bytes: int) -> Upload:
    """Announce a file of a known size; bytes follow by `append_to_upload`."""
    actor.require("run_simple", project)
    filename = sanitise_filename(filename)
    if size_bytes <= 0:
        raise InvalidInput(_("The file is empty."), filename=filename)
    if size_bytes > settings.AIFS_UPLOAD_MAX_BYTES:
        raise LimitReached(
            _("The file is larger than %(limit)s bytes, the most this installation takes."),
            code="upload_too_large",
            limit=settings.AIFS_UPLOAD_MAX_BYTES,
        )
    upload = Upload.objects.create(project=project, user=actor.user, filename=filename, size_bytes=size_bytes)
    record_audit(actor, "upload.create", upload, filename=filename, size_bytes=size_bytes)
    return upload


def append_to_upload(actor: Actor, upload: Upload, offset: int, body: Readable) -> Upload:
    """Write the bytes that follow `offset`; what a broken connection left beyond the recorded offset is cut off first.

    Raises Conflict when the offset is not the recorded one, UploadLocked while another request writes.
    """
    actor.require("run_simple", upload.project)
    with transaction.atomic():
        row = Upload.objects.select_for_update(skip_locked=True).filter(pk=upload.pk).first()
        if row is None:
            raise UploadLocked(_("Another request is writing to this upload."))
        if row.offset_bytes != offset:
            raise Conflict(
                _("The upload is at byte %(offset)s."), code="offset_mismatch", offset=row.offset_bytes, given=offset
            )
        row.offset_bytes = _write_part(row, body)
        if row.offset_bytes == row.size_bytes and not row.sha256:
            row.sha256 = storage().put_file(part_path(row))[0]
        row.save(update_fields=["offset_bytes", "sha256"])
    if row.sha256:
        part_path(row).unlink(missing_ok=True)
    return row


def create_upload_from_file(actor: Actor, project: Project, file: UploadedFile) -> Upload:
    """A whole file from a plain form."""
    upload = create_upload(actor, project, file.name or "", file.size or 0)
    file.seek(0)
    return append_to_upload(actor, upload, 0, file)


@transaction.atomic
def delete_upload(actor: Actor, upload: Upload) -> None:
    """Stop an upload and drop what came. A finished one loses its row; its bytes go once nothing names them."""
    actor.require("run_simple", upload.project)
    if upload.user_id != actor.user.pk:
        actor.require("manage", upload.project)
    part_path(upload).unlink(missing_ok=True)
    record_audit(actor, "upload.delete", upload, filename=upload.filename)
    upload.delete()


def part_path(upload: Upload) -> Path:
    """Where an unfinished upload lies; named by its id alone."""
    folder: Path = settings.AIFS_HOME / "storage" / "uploads"
    return folder / f"{upload.pk}.part"


def _write_part(upload: Upload, body: Readable) -> int:
    """Returns the new offset. Raises InvalidInput when more arrives than was announced."""
    path = part_path(upload)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as part:
        part.truncate(upload.offset_bytes)
        part.seek(upload.offset_bytes)
        offset = _copy(body, part, upload.offset_bytes, upload.size_bytes)
        part.flush()
        os.fsync(part.fileno())
    return offset


def _copy(body: Readable, part: BinaryIO, offset: int, size: int) -> int:
    while block := body.read(BLOCK):
        if offset + len(block) > size:
            raise InvalidInput(_("More bytes arrived than were announced."), announced=size)
        part.write(block)
        offset += len(block)
    return offset
