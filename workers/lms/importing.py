"""Bring a model into the store: archives, folders and GGUF files become safetensors, config and tokenizer."""

import shutil
import struct
from pathlib import Path
from typing import Any, Literal

from workers import archives, kinds
from workers.errors import InvalidInput
from workers.io import RunIO
from workers.kinds import Resources
from workers.lms.loading import load_tokenizer, set_up
from workers.lms.model_folder import KEPT, PICKLES, Facts, read_facts, refuse_unsafe
from workers.params import Params as BaseParams
from workers.params import param, upload
from workers.words import marked as _

GGUF_MAGIC = b"GGUF"
UNREADABLE = (ValueError, LookupError, OSError, RuntimeError, TypeError, AttributeError, OverflowError, struct.error)
"""What the library raises on a GGUF file that is broken or of a kind it does not know."""
PANIC = "PanicException"
"""So does a panic of its Rust; that is no Exception, and has no module to import it from."""
NAME = r"^[^\s:/\\][^:/\\]*$"
"""A model is found as `name` or `name:version`."""


class Params(BaseParams):
    source: str = upload(
        label=_("Model files"),
        help=_("A .zip, .tar or .tar.gz of the model's folder (safetensors), or a single .gguf file."),
    )
    name: str = param(
        label=_("Name"), help=_("An existing name gets a new version."), simple=True, max_length=120, pattern=NAME
    )
    licence: str = param("", label=_("Licence"), help=_("For example Apache-2.0."), simple=True, max_length=80)
    dtype: Literal["bfloat16", "float16", "float32"] = param(
        "bfloat16",
        label=_("Number format for GGUF"),
        help=_("The weights of a GGUF file are written out in this format; others stay as they are."),
        group=_("Conversion"),
    )


@kinds.register("lms.import", label=_("Import a model"), resources=Resources(cpus=1))
def run(params: Params, io: RunIO) -> dict[str, Any]:
    """Check a model that somebody sends and put it into the model store.

    Nothing that could run code is opened: pickles, program code and configs that ask for it are refused. A GGUF file is
    written out as safetensors, so that it can be tuned, evaluated and served like any other model.
    """
    set_up(io.spec.cpus)
    steps = 4
    io.progress(0, steps, _("Unpacking"))
    sent = collect(io)
    io.progress(1, steps, _("Checking"))
    refuse_unsafe(sent)
    refuse_only_onnx(sent)
    folder = find_model(sent)
    out = io.output("model")
    ggufs = sorted(folder.glob("*.gguf"))
    if ggufs and not list(folder.glob("*.safetensors")):
        io.progress(2, steps, _("Converting from GGUF"))
        convert_gguf(ggufs[0], out, params.dtype)
        name_the_rest(sent, folder, io, taken=ggufs[0])
    else:
        carry(folder, out)
        name_the_rest(sent, folder, io)
    io.progress(3, steps, _("Reading the model"))
    facts = check(out)
    io.artefact("model", "model_version", out, **facts.meta())
    io.progress(steps, steps, _("Done"))
    return {"family": facts.family, "format": facts.format, "parameters": facts.parameters, "dtype": facts.dtype}


def collect(io: RunIO) -> Path:
    """Folder with what was sent, unpacked when it is an archive."""
    source = io.input("source")
    files = [path for path in source.rglob("*") if path.is_file()]
    if not files:
        raise InvalidInput(_("Nothing was sent."), code="model_empty")
    if any(PICKLES.search(path.name) for path in files):
        return source  # torch.save writes zips, which are not unpacked but refused
    return archives.opened(source, io.scratch("unpacked"))


def refuse_only_onnx(sent: Path) -> None:
    """Raise InvalidInput when weights came as ONNX alone. Beside others it is left behind: nothing here reads it."""
    if any(path.suffix in (".safetensors", ".gguf") for path in sent.rglob("*")):
        return
    for path in sorted(sent.rglob("*.onnx")):
        raise InvalidInput(
            _("%(file)s is an ONNX file, which is not read here."),
            hint=_("Send the model as save_pretrained writes it, with .safetensors files, or as one .gguf file."),
            code="model_onnx",
            file=path.name,
        )


def find_model(root: Path) -> Path:
    """The topmost folder that holds a config or a GGUF file; `root` itself when there is none."""
    found = [path.parent for pattern in ("config.json", "*.gguf") for path in root.rglob(pattern)]
    return min(found, key=lambda folder: (len(folder.parts), str(folder)), default=root)


def carry(folder: Path, out: Path) -> None:
    """Copy what belongs to a model."""
    for path in folder.iterdir():
        if path.is_file() and KEPT.search(path.name):
            shutil.copyfile(path, out / path.name)


def name_the_rest(sent: Path, folder: Path, io: RunIO, taken: Path | None = None) -> None:
    """Say what was left behind unread, wherever in what was sent it lay. taken: the one file that a model was made
    from."""
    left = [
        path.relative_to(sent).as_posix()
        for path in sorted(sent.rglob("*"))
        if path.is_file() and path != taken and (taken or path.parent != folder or not KEPT.search(path.name))
    ]
    if left:
        io.log(_("Left behind, as they are not part of a model: %(files)s"), files=", ".join(left)[:500])


def convert_gguf(path: Path, out: Path, dtype: str) -> None:
    """Write a GGUF file out as safetensors with config and tokenizer. Raises InvalidInput when it cannot be read."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with path.open("rb") as file:
        if file.read(4) != GGUF_MAGIC:
            raise InvalidInput(_("%(file)s is not a GGUF file."), code="gguf_unreadable", file=path.name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=getattr(torch, dtype), local_files_only=True
        )
    except BaseException as error:
        if not isinstance(error, UNREADABLE) and type(error).__name__ != PANIC:
            raise
        raise InvalidInput(
            _("%(file)s cannot be read: %(error)s"),
            hint=_("Its architecture or quantisation may not be supported; the original safetensors always work."),
            code="gguf_unreadable",
            file=path.name,
            error=f"{type(error).__name__}: {error}"[:300],
        ) from error
    # The loader leaves traces of the quantised source; a model that carries them cannot be saved.
    model.hf_quantizer = None  # type: ignore[assignment]
    for owner, name in ((model, "is_quantized"), (model, "quantization_method"), (model.config, "quantization_config")):
        if hasattr(owner, name):
            delattr(owner, name)
    tokenizer.model_max_length = context_length(model.config)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def context_length(config: Any) -> int:
    return int(getattr(config, "max_position_embeddings", 0) or getattr(config, "n_positions", 0) or 2048)


def check(folder: Path) -> Facts:
    """Facts of the finished folder, once the library has agreed that it knows the model and can read its tokenizer."""
    facts = read_facts(folder)
    from transformers import AutoConfig

    try:
        AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, KeyError, OSError, TypeError, AttributeError) as error:
        raise InvalidInput(
            _("This kind of model is not known here: %(error)s"), code="model_unknown", error=str(error)[:300]
        ) from error
    load_tokenizer(folder)
    return facts
