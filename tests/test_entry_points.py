"""The quick reader of entry points finds what importlib.metadata finds."""

from __future__ import annotations

import importlib.metadata
import zipfile
from pathlib import Path

import pytest

from agentkit.entry_points import EntryPoint, entry_points


def announce(folder: Path, package: str, text: str, ending: str = "1.0.dist-info") -> None:
    info = folder / f"{package}-{ending}"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("group", ["agentkit", "pytest11", "console_scripts", "mlflow.artifact_repository"])
def test_it_finds_what_the_standard_library_finds(group: str) -> None:
    ours = {(e.name, e.value) for e in entry_points(group)}
    assert ours == {(e.name, e.value) for e in importlib.metadata.entry_points(group=group)}


def test_comments_other_groups_and_extras_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "[other]\nno = json\n\n# a remark\n[agentkit]\n; another\nfirst = json:JSONDecoder.decode [fast]\nsecond=json\n"
    )
    announce(tmp_path, "My.Odd_name", text)
    monkeypatch.syspath_prepend(tmp_path)
    import json

    found = [e for e in entry_points("agentkit") if e.package == "my-odd-name"]
    assert [e.name for e in found] == ["first", "second"]
    assert [e.load() for e in found] == [json.JSONDecoder.decode, json]


def test_of_a_package_that_is_installed_twice_the_first_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path / "late", "twice", "[agentkit]\na = json\n")
    announce(tmp_path / "soon", "twice", "[agentkit]\nb = json\n")
    monkeypatch.syspath_prepend(tmp_path / "late")
    monkeypatch.syspath_prepend(tmp_path / "soon")
    assert [e.name for e in entry_points("agentkit") if e.package == "twice"] == ["b"]


def test_packages_inside_an_archive_are_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path, "packed", "[agentkit]\npacked = json\n")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("METADATA", "entry_points.txt"):
            archive.write(tmp_path / "packed-1.0.dist-info" / name, f"packed-1.0.dist-info/{name}")
    monkeypatch.syspath_prepend(tmp_path / "all.zip")
    assert EntryPoint("packed", "json", "packed") in entry_points("agentkit")


def test_files_that_cannot_be_read_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path, "fine", "[agentkit]\nfine = json\n")
    announce(tmp_path, "odd", "")
    (tmp_path / "odd-1.0.dist-info/entry_points.txt").write_bytes(b"[agentkit]\n\xff = json\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "missing")
    assert "fine" in [e.name for e in entry_points("agentkit")]
