"""All four DNABERT checkpoints at once, with checksums, ready to be published."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from dnabert_hf.files.atomic import put_folder, scratch_folder, write_text
from dnabert_hf.files.outputs import MODEL_FILES, check_folder
from dnabert_hf.hub.conversion.convert import Conversion, convert
from dnabert_hf.modeling.configuration_dnabert import PUBLISHED_K

__all__ = ["CHECKSUMS", "K", "convert_release"]

K = "{k}"
CHECKSUMS = "SHA256SUMS"


def convert_release(
    source: str, destination: str | Path, *, overwrite: bool = False, **options: Any
) -> list[Conversion]:
    """Convert the checkpoints of k = 3, 4, 5 and 6, all of them or none.

    Beside the four repositories `SHA256SUMS` lists the checksum of every file, as `sha256sum -c`
    reads it.

    Args:
        source: What `convert` takes, with {k} in place of 3 to 6: "zhihan1996/DNA_bert_{k}", or
            "downloads/{k}-new-12w-0.zip".
        destination: Folders to write, with {k} in the last name alone: "release/dnabert-{k}".
        overwrite: Whether to replace earlier repositories.
        **options: As in `convert`.

    Returns:
        What was found and done, in the order of k.

    Raises:
        ValueError: If a source cannot be converted or is of another k than its name says, or a
            destination must not be written.
    """
    destination = Path(destination)
    if K not in source or K not in destination.name or K in str(destination.parent):
        raise ValueError(
            f"to convert all four, {K} must stand for 3 to 6 in the source and in the last name of "
            f"the destination, such as zhihan1996/DNA_bert_{K} release/dnabert-{K}, got {source} "
            f"and {destination}"
        )
    sources = {k: source.replace(K, str(k)) for k in PUBLISHED_K}
    folders = {k: destination.with_name(destination.name.replace(K, str(k))) for k in PUBLISHED_K}
    for k in PUBLISHED_K:
        check_folder(
            folders[k],
            overwrite=overwrite,
            marker="config.json",
            known=MODEL_FILES,
            inputs=[sources[k]],
        )
    done = []
    with scratch_folder(destination) as partial:
        for k in PUBLISHED_K:
            conversion = convert(sources[k], partial / folders[k].name, **options)
            if conversion.k != k:
                raise ValueError(
                    f"{sources[k]} must be the checkpoint of k = {k}, as its name says, found one "
                    f"of k = {conversion.k}"
                )
            done.append(replace(conversion, folder=folders[k]))
        files = sorted(path for path in partial.rglob("*") if path.is_file())
        lines = [f"{_checksum(path)}  {path.relative_to(partial).as_posix()}\n" for path in files]
        for folder in folders.values():
            put_folder(partial / folder.name, folder)
        write_text("".join(lines), destination.with_name(CHECKSUMS))
    return done


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
