"""Folders that Hugging Face datasets wrote with save_to_disk -> their Arrow files, in order.

A Dataset has state.json, dataset_info.json and the files state.json lists; a DatasetDict has
dataset_dict.json and one such folder for each split.
"""

from __future__ import annotations

import json
import os


def dataset_files(folder: str) -> list[str] | None:
    """A saved dataset's data files, split after split, as paths inside of the folder.

    None for any other folder. ValueError where files are missing that the folder's own lists name,
    and for a dataset that was selected or shuffled by an index, whose files hold other rows or
    another order.
    """
    splits = os.path.join(folder, "dataset_dict.json")
    if not os.path.isfile(splits):
        return _of_one(folder)
    found = []
    for name in _list(splits, "splits"):
        files = _of_one(os.path.join(folder, _plain(name, splits)))
        if files is None:
            raise ValueError(f"{splits} lists the split {name!r}, where no dataset is saved")
        found += [os.path.join(name, file) for file in files]
    return found


def _of_one(folder: str) -> list[str] | None:
    state = os.path.join(folder, "state.json")
    if not all(os.path.isfile(path) for path in (state, os.path.join(folder, "dataset_info.json"))):
        return None
    if _list(state, "_indices_data_files", optional=True):
        raise ValueError(
            f"the dataset in {folder} is a selection by an index file: load it with datasets, and "
            "save dataset.flatten_indices() instead"
        )
    found = []
    for entry in _list(state, "_data_files"):
        name = _plain(entry.get("filename") if isinstance(entry, dict) else entry, state)
        if not os.path.isfile(os.path.join(folder, name)):
            raise ValueError(f"{state} lists {name!r}, which is not there: copy the whole folder")
        found.append(name)
    return found


def _list(path: str, key: str, optional: bool = False) -> list:
    try:
        with open(path, encoding="utf-8-sig") as file:
            value = json.load(file).get(key)
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} of a saved dataset cannot be read: {error}") from None
    if optional and value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{path} of a saved dataset has no list {key!r}")
    return value


def _plain(name: object, path: str) -> str:
    """The name; ValueError where it would lead out of the folder."""
    if not isinstance(name, str) or name in ("", ".", "..") or os.path.basename(name) != name:
        raise ValueError(f"{path} lists {name!r}, expected a name inside its folder")
    return name
