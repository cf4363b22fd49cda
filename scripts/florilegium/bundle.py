"""A run as one archive whose bytes depend on nothing but what is in it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold; the real one would change the bytes
PACKAGES = ("onnxruntime", "numpy", "pillow")  # what predict.py needs


def write_archive(target: Path, folder: str, contents: Mapping[str, Path | str]) -> None:
    """Write a zip with one folder in it: files as they are, texts in UTF-8, sorted by name, neither times nor owners.

    Nothing is compressed: weights do not shrink, and another version of zlib would write other bytes.

    Args:
        target: the zip.
        folder: the one folder in it.
        contents: by name, a file to copy or a text.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(f"{folder}/{name}", EPOCH)
            entry.external_attr, entry.create_system = 0o100644 << 16, 3  # rw-r--r--, as on Unix wherever it is written
            if isinstance(content, str):
                archive.writestr(entry, content.encode())
                continue
            entry.file_size = content.stat().st_size
            with archive.open(entry, "w") as inside, open(content, "rb") as stream:
                while block := stream.read(1 << 20):
                    inside.write(block)


def readme(facts: Mapping[str, Any], models: list[str], packages: Mapping[str, str]) -> str:
    """The page to read first.

    Args:
        facts: model_card.json.
        models: names of the ONNX files in the archive.
        packages: version by name of what predict.py needs, as the run was made with.
    """
    pins = " ".join(f"{name}=={version}" for name, version in packages.items())
    takes = {file["name"]: file["takes"] for file in facts["files"]}
    listed = "\n".join(f"* `{name}`: takes, gives: {takes[name]}" for name in models)
    left_out = [file["name"] for file in facts["files"] if file["name"] not in models]
    note = (
        f"\n\nLeft out, because it is not recommended: {', '.join(left_out)} (`model_card.md` says why)."
        if left_out
        else ""
    )
    random = "" if facts["pretrained"] else "\n\n**The backbone was random: for trying out, not for use.**"
    return f"""# {facts["name"]}{random}

```
pip install {pins}
python predict.py photo.jpg              # or a folder, or - for standard input; --json, --csv
```

{listed}
* `labels.json`, `labels.txt`: the {len(facts["classes"])} class names in the order of the outputs
* `model_card.md`, `model_card.json`: what it is for, how good it is, where it comes from
* `predict.py`: names photographs; `python predict.py --help`{note}

Other versions of these packages will do; these are the ones that the file was checked with.
"""
