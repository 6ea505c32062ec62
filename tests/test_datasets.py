"""Files of the workspace as tables, and what a user is told when one cannot be."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.datasets import Workspace, open_dataset, resolve_name
from agentkit.errors import AgentkitError, DatasetError, WorkspaceError

TABLE = pd.DataFrame(
    {
        "age": range(30, 90),
        "home town": [f"town {i % 3}" for i in range(60)],
        "dose": [None if i % 7 == 0 else i / 4 for i in range(60)],
    }
)


@pytest.fixture
def space(workspace: Path) -> Workspace:
    return Workspace(workspace)


def _write(name: str, root: Path) -> None:
    path = root / name
    path.parent.mkdir(exist_ok=True)
    base = name.removesuffix(".gz").removesuffix(".bz2").removesuffix(".xz")
    if base.endswith(".csv"):
        TABLE.to_csv(path, index=False)
    elif base.endswith(".tsv"):
        TABLE.to_csv(path, index=False, sep="\t")
    elif base.endswith(".jsonl"):
        TABLE.to_json(path, orient="records", lines=True)
    elif base.endswith(".json"):
        TABLE.to_json(path, orient="records")
    elif base.endswith(".parquet"):
        TABLE.to_parquet(path)
    elif base.endswith(".feather"):
        TABLE.to_feather(path)
    else:
        TABLE.to_excel(path, index=False)


@pytest.mark.parametrize(
    "name",
    ["a.csv", "a.tsv", "a.json", "a.jsonl", "a.parquet", "a.feather", "a.xlsx", "a.csv.gz", "a.csv.bz2", "a.csv.xz",
     "a.jsonl.gz", "sub/a.csv"],
)  # fmt: skip
def test_every_format_gives_the_same_table(name: str, space: Workspace) -> None:
    _write(name, space.root)
    data = open_dataset(name, space)

    pd.testing.assert_frame_equal(data.frame(), TABLE, check_dtype=False)
    assert data.columns == list(TABLE.columns)
    assert data.rows() == 60
    assert data.stem == "a"
    assert data.digest == hashlib.sha256((space.root / name).read_bytes()).hexdigest()
    parts = list(data.batches(25))
    assert [len(p) for p in parts] == [25, 25, 10]
    pd.testing.assert_frame_equal(pd.concat(parts), TABLE, check_dtype=False)
    assert list(data.frame(["dose", "age"]).columns) == ["dose", "age"]
    assert [list(p.columns) for p in data.batches(40, ["dose"])] == [["dose"], ["dose"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str, space: Workspace) -> None:
    TABLE.to_csv(space.root / "a.csv", sep=delimiter, index=False)
    pd.testing.assert_frame_equal(open_dataset("a.csv", space).frame(), TABLE, check_dtype=False)


def test_a_comma_inside_quotes_is_not_a_delimiter(space: Workspace) -> None:
    (space.root / "a.csv").write_text('name;note\n"a;b";"x, y, z"\nc;"p, q, r"\n')
    frame = open_dataset("a.csv", space).frame()
    assert frame.to_dict("list") == {"name": ["a;b", "c"], "note": ["x, y, z", "p, q, r"]}


def test_a_folder_and_a_pattern_of_parquet_files_are_one_table(space: Workspace) -> None:
    for number in (1, 2):
        _write(f"days/{number}.parquet", space.root)
    for name in ("days", "days/", "days/*.parquet"):
        data = open_dataset(name, space)
        assert (data.rows(), len(data.paths), data.stem) == (120, 2, "days")
        assert [i for part in data.batches(50) for i in part.index] == list(range(120))


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.parquet", "a.feather", "a.xlsx", "days"])
def test_batches_begin_at_any_row(name: str, space: Workspace) -> None:
    for part in ("days/1.parquet", "days/2.parquet") if name == "days" else (name,):
        _write(part, space.root)
    data = open_dataset(name, space)
    whole = pd.concat(data.batches(25))
    for start in (0, 1, 24, 25, 59, 60, 61, 119, 500):
        parts = list(data.batches(25, start=start))
        assert [i for part in parts for i in part.index] == list(range(start, len(whole)))
        assert all(len(part) <= 25 for part in parts)
        if parts:
            pd.testing.assert_frame_equal(pd.concat(parts), whole.iloc[start:], check_dtype=False)


def test_batches_of_parquet_do_not_read_the_row_groups_before_the_first_row(space: Workspace) -> None:
    path = space.root / "groups.parquet"
    pd.DataFrame({"x": np.arange(1000.0)}).to_parquet(path, row_group_size=100)
    column = pq.ParquetFile(path).metadata.row_group(2).column(0)
    with path.open("r+b") as file:
        file.seek(column.dictionary_page_offset or column.data_page_offset)
        file.write(b"\xff" * 64)
    data = open_dataset("groups.parquet", space)
    with pytest.raises(DatasetError):
        list(data.batches(50))
    assert [x for part in data.batches(70, start=350) for x in part["x"]] == list(range(350, 1000))


def test_json_as_columns_and_nested_objects(space: Workspace) -> None:
    (space.root / "columns.json").write_text('{"a": [1, 2], "b": ["x", null]}')
    (space.root / "pandas.json").write_text('{"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": null}}')
    (space.root / "nested.jsonl").write_text('{"a": {"b": 1}, "tags": ["x", "y"]}\n\n{"a": {"b": 2}}\n')
    for name in ("columns.json", "pandas.json"):
        frame = open_dataset(name, space).frame()
        assert frame["a"].tolist() == [1, 2]
        assert frame["b"].isna().tolist() == [False, True]
    nested = open_dataset("nested.jsonl", space)
    assert nested.columns == ["a.b", "tags"]
    assert nested.frame()["tags"][0] == '["x", "y"]'


def test_of_several_sheets_the_first_is_read_and_the_others_are_named(space: Workspace) -> None:
    with pd.ExcelWriter(space.root / "book.xlsx") as book:
        TABLE.to_excel(book, sheet_name="May", index=False)
        TABLE.head(3).to_excel(book, sheet_name="June", index=False)
    first = open_dataset("book.xlsx", space)
    assert first.rows() == 60
    assert "'book.xlsx#June'" in first.notes[0]
    assert open_dataset("book.xlsx#June", space).rows() == 3
    with pytest.raises(DatasetError, match="Sheets: 'May', 'June'"):
        open_dataset("book.xlsx#July", space)


def test_other_encodings_are_read_and_the_guess_is_told(space: Workspace) -> None:
    text = "name,town\n" + "Jürgen Müller,Köln am schönen Rhein\nRenée Lefèvre,Besançon près de la forêt\n" * 20
    for encoding in ("utf-8-sig", "utf-16", "latin-1"):
        (space.root / "a.csv").write_bytes(text.encode(encoding))
        data = open_dataset("a.csv", space)
        assert data.columns == ["name", "town"]
        assert data.frame()["town"][0] == "Köln am schönen Rhein"
        assert bool(data.notes) == (encoding == "latin-1")
    assert "is not UTF-8" in data.notes[0]


def test_a_wrong_byte_late_in_a_big_file_is_found(space: Workspace) -> None:
    rows = b"name,value\n" + b"plain,1\n" * 300_000 + "Köln,2\n".encode("latin-1")
    (space.root / "a.csv").write_bytes(rows)
    assert open_dataset("a.csv", space).frame()["name"].iloc[-1] == "Köln"


def test_signs_for_missing_values_are_missing(space: Workspace) -> None:
    (space.root / "a.csv").write_text("a,b\n1, ?\nNA,x\n,null\n")
    assert open_dataset("a.csv", space).frame().isna().to_dict("list") == {
        "a": [False, True, True],
        "b": [True, False, True],
    }


_BROKEN: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n\n \n", "is empty"),
    "header.csv": (b"a,b\n", "a header but no rows"),
    "twice.csv": (b"a,b,a\n1,2,3\n", "column 'a' more than once"),
    "ragged.csv": (b"a,b\n1,2\n1,2,3\n", "line 3"),
    "wide.csv": (b"a,b\n1,2,3\n", "the header has 2 columns, the first row 3"),
    "binary.csv": (bytes(range(256)) * 20, "is not a text file"),
    "bad.json": (b'{"a": 1', "not valid JSON"),
    "list.json": (b"[1, 2]", "a list of objects"),
    "lengths.json": (b'{"a": [1], "b": [1, 2]}', "different lengths"),
    "bad.jsonl": (b'{"a": 1}\n{"a":\n', "line 2"),
    "encoding.json": ('[{"a": "ü"}]'.encode("latin-1"), "not UTF-8"),
    "none.json": (b"[]", "is empty"),
    "no.xlsx": (b"text", "not an Excel workbook"),
    "cut.csv.gz": (gzip.compress(TABLE.to_csv().encode())[:200], "Is it complete"),
    "no.csv.gz": (b"a,b\n1,2\n", "cannot be read"),
    "no.parquet": (b"PAR1 and no more", "not a complete parquet file"),
    "notes.pdf": (b"%PDF", "ending '.pdf'"),
}


@pytest.mark.parametrize("name", _BROKEN)
def test_a_file_that_is_no_table_is_refused_with_the_reason(name: str, space: Workspace) -> None:
    content, reason = _BROKEN[name]
    (space.root / name).write_bytes(content)
    with pytest.raises(DatasetError) as raised:
        open_dataset(name, space).frame()
    assert reason in str(raised.value)
    assert repr(name) in str(raised.value)
    assert str(space.root) not in str(raised.value)


def test_parquet_files_that_are_cut_or_have_no_rows_are_refused(space: Workspace) -> None:
    _write("a.parquet", space.root)
    whole = (space.root / "a.parquet").read_bytes()
    (space.root / "a.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="not a complete parquet file"):
        open_dataset("a.parquet", space)
    TABLE.head(0).to_parquet(space.root / "b.parquet")
    with pytest.raises(DatasetError, match="columns but no rows"):
        open_dataset("b.parquet", space)


def test_a_folder_without_parquet_files_and_a_folder_as_a_file_are_refused(space: Workspace) -> None:
    (space.root / "folder.csv").mkdir()
    for name in ("folder.csv", ".", "*.parquet"):
        with pytest.raises(DatasetError, match="holds no Parquet files"):
            open_dataset(name, space)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(space: Workspace) -> None:
    _write("a.csv", space.root)
    (space.root / "a.csv").chmod(0)
    with pytest.raises(DatasetError, match="permissions"):
        open_dataset("a.csv", space)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("tumors.csv", "The nearest name is 'tumours.csv'."),
        ("Tumours.CSV", "'tumours.csv'"),
        ("diabetes.csv", "There is 'data/diabetes.csv'."),
        ("diabets.csv", "The nearest name is 'data/diabetes.csv'."),
        ("zzz", "Data files there: 'data/diabetes.csv', 'tumours.csv'."),
    ],
)
def test_an_unknown_file_leads_to_the_nearest_one(asked: str, told: str, space: Workspace) -> None:
    for name in ("tumours.csv", "data/diabetes.csv", ".hidden/tumors.csv"):
        _write(name, space.root)
    with pytest.raises(DatasetError) as raised:
        open_dataset(asked, space)
    assert f"{asked!r} is not in the workspace." in str(raised.value)
    assert told in str(raised.value)


def test_an_unknown_column_leads_to_the_nearest_one(space: Workspace) -> None:
    _write("a.csv", space.root)
    with pytest.raises(DatasetError, match=r"no column 'hometown'.*The nearest name is 'home town'"):
        open_dataset("a.csv", space).frame(["hometown"])


@pytest.mark.parametrize(
    "name",
    ["../a.csv", "/etc/passwd", "sub/../../a.csv", "https://host/a.csv", "file:///etc/passwd", "s3://b/a",
     "sql:SELECT 1", "a\0.csv", "", "x" * 300, "link.csv", "linked/passwd"],
)  # fmt: skip
def test_what_is_not_in_the_workspace_is_refused(name: str, space: Workspace) -> None:
    (space.root / "link.csv").symlink_to("/etc/passwd")
    (space.root / "linked").symlink_to("/etc")
    with pytest.raises(WorkspaceError):
        open_dataset(name, space)


def test_a_link_to_outside_inside_a_folder_of_parquet_is_refused(workspace: Path) -> None:
    inner = Workspace(workspace / "inner")
    _write("secret.parquet", workspace)
    _write("inner/1.parquet", workspace)
    (workspace / "inner/2.parquet").symlink_to(workspace / "secret.parquet")
    with pytest.raises(WorkspaceError, match="outside the workspace"):
        open_dataset(".", inner)


def test_a_folder_that_the_settings_allow_may_be_opened(workspace: Path) -> None:
    _write("shared/a.csv", workspace)
    (workspace / "work").mkdir()
    space = Workspace(workspace / "work", allow=["../shared"])
    assert open_dataset("../shared/a.csv", space).rows() == 60
    assert open_dataset(str(workspace / "shared/a.csv"), space).rows() == 60


def test_a_slip_of_a_model_is_repaired_and_told_and_a_persons_is_not(space: Workspace) -> None:
    _write("tumours.csv", space.root)
    note = "'tumors.csv' does not exist; 'tumours.csv' was used."
    assert resolve_name("tumors.csv", space, by_model=True) == ("tumours.csv", note)
    assert resolve_name("tumors.csv", space, by_model=False) == ("tumors.csv", "")


def test_a_folder_that_a_model_made_up_is_repaired_and_told(space: Workspace) -> None:
    for name in ("tumours.csv", "a/twice.csv", "b/twice.csv"):
        _write(name, space.root)
    for invented in ("workspace/tumours.csv", "/home/user/tumours.csv", "data/tumours.csv"):
        name, note = resolve_name(invented, space, by_model=True)
        assert name == "tumours.csv"
        assert repr(invented) in note
    for kept in ("tumours.csv", "tumbles.csv", "twice.csv", "https://host/tumours.csv", "/etc/passwd"):
        assert resolve_name(kept, space, by_model=True) == (kept, "")
    assert resolve_name("data/tumours.csv", space, by_model=False) == ("data/tumours.csv", "")


def test_names_for_suggestions_are_bounded(space: Workspace) -> None:
    for number in range(600):
        (space.root / f"{number}.csv").touch()
    deep = space.root.joinpath(*"abcdefghij")
    deep.mkdir(parents=True)
    (deep / "deep.csv").touch()
    assert len(space.names()) == 500


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(name=st.text(max_size=60) | st.from_regex(r"(\.\./|/|[a-z]:|\*|#|~)*[a-z.]*", fullmatch=True))
def test_no_name_opens_anything_or_breaks(name: str, space: Workspace) -> None:
    with pytest.raises(AgentkitError):
        open_dataset(name, space)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    content=st.binary(max_size=300),
    ending=st.sampled_from([".csv", ".json", ".jsonl", ".parquet", ".csv.gz", ".xlsx", ".feather"]),
)
def test_no_content_breaks_anything(content: bytes, ending: str, space: Workspace) -> None:
    (space.root / f"a{ending}").write_bytes(content)
    try:
        data = open_dataset(f"a{ending}", space)
        assert len(data.frame()) == sum(len(b) for b in data.batches(2))
    except DatasetError as error:
        assert str(space.root) not in str(error)


@pytest.mark.parametrize(
    ("name", "text", "delimiter"),
    [
        ("a.tsv", "a,b\n1,2\n3,4\n", ","),
        ("a.csv", "a:b:c\n1:2:3\n4:5:6\n", ":"),
        ("a.txt", "a b c\n1 2 3\n4 5 6\n", " "),
    ],
)
def test_a_delimiter_that_the_ending_does_not_say_is_found_and_told(
    name: str, text: str, delimiter: str, space: Workspace
) -> None:
    (space.root / name).write_text(text)
    data = open_dataset(name, space)
    assert data.frame().to_numpy().tolist()[0][:2] == [1, 2]
    assert f"separates its columns by {delimiter!r}" in data.notes[0]


@pytest.mark.parametrize("text", ["name\nJohn Smith\nJane Doe\n", "note\nat 10:30\nnever\n", "time\n10:30\n11:45\n"])
def test_one_column_of_texts_is_not_split(text: str, space: Workspace) -> None:
    (space.root / "a.csv").write_text(text)
    data = open_dataset("a.csv", space)
    assert (len(data.columns), data.notes) == (1, ())


NUMBERS: dict[str, tuple[str, list[float | str], str]] = {
    "decimal commas": ("a;b\n1;2,5\n2;3,75\n", [2.5, 3.75], "'2,5' was read as 2.5"),
    "points between thousands": ("a;b\n1;1.002,5\n2;3,75\n", [1002.5, 3.75], "'1.002,5' was read as 1002.5"),
    "commas between thousands": ('a,b\n1,"1,002"\n2,"2,000,003"\n', [1002, 2000003], "'1,002' was read as 1002"),
    "thousands and a decimal point": ('a,b\n1,"1,002.5"\n2,999\n', [1002.5, 999], "'1,002.5' was read as 1002.5"),
    "plain numbers": ("a,b\n1,1.5\n2,999\n", [1.5, 999], ""),
    "lists of codes": ('a,b\n1,"1,22,3"\n2,"3,4,5"\n', ["1,22,3", "3,4,5"], ""),
    "thousands beside lists of codes": ('b,a\n"1,002","1,22,3"\n"2,003","3,4,5"\n', ["1,002", "2,003"], ""),
    "dates with points": ("a;b\n1,5;01.02.2026\n2,5;02.02.2026\n", ["01.02.2026", "02.02.2026"], "decimal commas"),
    "both marks": ("a;b\n1,5;2.5\n2,5;3.5\n", [2.5, 3.5], "some with a point"),
}


@pytest.mark.parametrize("what", NUMBERS)
def test_numbers_are_read_as_the_file_writes_them_and_it_is_told(what: str, space: Workspace) -> None:
    text, expected, note = NUMBERS[what]
    (space.root / "a.csv").write_text(text)
    data = open_dataset("a.csv", space)
    assert data.frame()["b"].tolist() == expected
    assert next(iter(data.batches(1)))["b"].tolist() == expected[:1]
    assert (note in data.notes[0]) if note else not data.notes


def test_a_file_that_ends_in_the_middle_of_a_line_is_told(space: Workspace) -> None:
    whole = TABLE.to_csv(index=False)
    (space.root / "a.csv").write_text(whole[:-8])
    assert "The last line of 'a.csv' has 2 of 3 columns: the file may be cut" in open_dataset("a.csv", space).notes[0]
    for content in (whole, whole.rstrip("\n")):
        (space.root / "a.csv").write_text(content)
        assert open_dataset("a.csv", space).notes == ()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as big, and is read in chunks of a few rows."""
    from agentkit import compaction, tables

    monkeypatch.setattr(tables, "_BIG_TEXT", 0)
    monkeypatch.setattr(tables, "BIG_CELLS", 0)
    monkeypatch.setattr(tables, "rows_at_once", lambda columns: 7)
    monkeypatch.setattr(compaction, "_CELLS_AT_ONCE", 1)


MANY = pd.DataFrame(
    {
        "tiny": [i % 2 for i in range(60)],
        "whole": [i * 40_000 for i in range(60)],
        "half": [i / 2 for i in range(60)],
        "exact": [i / 3 for i in range(60)],
        "gaps": [None if i % 7 == 0 else i for i in range(60)],
        "level": [f"level {i % 3}" for i in range(60)],
        "late": [None if i < 20 else f"level {i % 2}" for i in range(60)],
        "mixed": [i if i < 30 else f"x{i % 4}" for i in range(60)],
        "differ": [f"text {i}" for i in range(60)],
        "flag": [i % 3 == 0 for i in range(60)],
        "flag and gap": [None if i == 50 else i % 3 == 0 for i in range(60)],
        "day": pd.date_range("2026-01-01", periods=60),
        "nothing": [None] * 60,
    }
)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.csv.gz"])
def test_a_big_file_holds_the_same_values_in_less_memory(
    name: str, space: Workspace, request: pytest.FixtureRequest
) -> None:
    path = space.root / name
    if name == "a.parquet":
        MANY.assign(mixed=MANY["mixed"].astype("str")).to_parquet(path)
    else:
        MANY.to_csv(path, index=False)
    plain = open_dataset(name, space).frame()
    request.getfixturevalue("small")
    compact = open_dataset(name, space).frame()
    assert list(compact.columns) == list(plain.columns)
    for column in plain:
        ours, theirs = compact[column], plain[column]
        assert ours.isna().tolist() == theirs.isna().tolist()
        assert ours.dropna().tolist() == theirs.dropna().tolist(), column
    assert {c: str(compact[c].dtype) for c in ("tiny", "whole", "half", "exact", "level")} == {
        "tiny": "int8", "whole": "int32", "half": "float32", "exact": "float64", "level": "category",
    }  # fmt: skip
    assert str(compact["differ"].dtype) == "str"
    assert compact.memory_usage(deep=True).sum() < plain.memory_usage(deep=True).sum()
    assert open_dataset(name, space).frame(["level", "tiny"]).columns.tolist() == ["level", "tiny"]


def test_a_profile_of_a_big_file_is_that_of_a_small_one(space: Workspace, request: pytest.FixtureRequest) -> None:
    from agentkit.profiles import profile_frame

    MANY.to_csv(space.root / "a.csv", index=False)
    plain = profile_frame(open_dataset("a.csv", space).frame())
    request.getfixturevalue("small")
    assert profile_frame(open_dataset("a.csv", space).frame()) == plain


_PEAK = """
import sys
from pathlib import Path
from agentkit.datasets import Workspace, open_dataset
import pyarrow.dataset
space = Workspace(Path.cwd())
open_dataset("small.csv", space).frame(), open_dataset("small.parquet", space).frame()
def peak(): return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) * 1024
Path("/proc/self/clear_refs").write_text("5")
before = peak()
frame = open_dataset(sys.argv[1], space).frame()
print(peak() - before)
"""


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak of memory is read from /proc")
def test_a_big_file_that_is_not_packed_takes_at_most_three_times_its_size(space: Workspace) -> None:
    random = np.random.default_rng(0)
    rows = 150_000
    frame = pd.DataFrame(random.normal(size=(rows, 24)).round(4)).add_prefix("x")
    for i in range(12):
        frame[f"c{i}"] = random.choice([f"level {j}" for j in range(20 * (i + 1))], rows)
    TABLE.to_csv("small.csv")
    TABLE.to_parquet("small.parquet")
    frame.to_csv("big.csv", index=False)
    frame.to_parquet("big.parquet", compression=None, use_dictionary=False)
    for name in ("big.csv", "big.parquet"):
        done = subprocess.run([sys.executable, "-c", _PEAK, name], capture_output=True, text=True, check=True)
        assert int(done.stdout) < 3 * (space.root / name).stat().st_size, (name, int(done.stdout))
