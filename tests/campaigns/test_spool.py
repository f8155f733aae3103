"""The spool: nothing that was written whole is lost or read twice, whatever happened to the file."""

import json
import multiprocessing
import os

import pytest

from campaigns import spool

MESSAGE = "0" * 32


def entries():
    return [entry for _file, found in spool.take(settle=0) for entry in found]


def write_many(n):
    for number in range(n):
        spool.append({"kind": "open", "message": MESSAGE, "number": number})


def test_what_is_appended_is_read_with_an_id_of_its_own():
    write_many(3)
    found = entries()
    assert [entry["number"] for entry in found] == [0, 1, 2]
    assert len({entry["id"] for entry in found}) == 3


def test_a_file_stays_until_its_reader_removes_it():
    write_many(1)
    assert len(entries()) == 1
    assert len(entries()) == 1
    for file, _found in spool.take(settle=0):
        file.unlink()
    assert entries() == []


def test_a_file_that_was_written_a_moment_ago_is_left_for_its_writer():
    write_many(1)
    assert list(spool.take(settle=60)) == []
    assert len(entries()) == 1


def test_two_processes_write_files_of_their_own():
    children = [multiprocessing.get_context("fork").Process(target=write_many, args=(50,)) for _child in range(2)]
    for child in children:
        child.start()
    write_many(50)
    for child in children:
        child.join()
    assert len(list(spool._folder().glob("*.jsonl"))) == 3
    assert len({entry["id"] for entry in entries()}) == 150


@pytest.mark.parametrize("half", ['{"kind":"op', '{"kind":"open","message":"00', "{", "\x00\x00\x00", "garbage"])
def test_half_a_line_hides_no_whole_one(half):
    write_many(1)
    with (spool._folder() / f"{os.getpid()}.jsonl").open("a") as file:
        file.write(half)
    write_many(2)
    assert [entry["number"] for entry in entries()] == [0, 0, 1]


def test_bytes_that_are_no_text_stop_nothing():
    write_many(1)
    with (spool._folder() / f"{os.getpid()}.jsonl").open("ab") as file:
        file.write(b'{"kind":"\xff\xfe')
    assert len(entries()) == 1


def test_one_reads_at_a_time():
    with spool.reading_alone() as first, spool.reading_alone() as second:
        assert (first, second) == (True, False)
    with spool.reading_alone() as again:
        assert again


def test_only_the_owner_can_read_the_file():
    write_many(1)
    (file,) = spool._folder().glob("*.jsonl")
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["message"] == MESSAGE
