"""A query's vector in pgvector's binary form: text costs as much as the search."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakSet

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format


@dataclass(frozen=True)
class Parameter:
    """A numpy array of shape (dimension,) as a parameter of type `vector`."""

    code: ClassVar[str] = ">f4"
    vector: Any


class HalfParameter(Parameter):
    """The same as a parameter of type `halfvec`."""

    code = ">f2"


class _ParameterDumper(Dumper):
    format = Format.BINARY
    oid = 0  # the statement's cast tells the server what it is: extensions' types have no fixed number

    def dump(self, obj: Parameter) -> bytes:
        return struct.pack(">hh", len(obj.vector), 0) + obj.vector.astype(obj.code).tobytes()  # type: ignore[no-any-return]


_ready: WeakSet[psycopg.Connection[Any]] = WeakSet()


def take_parameters(connection: psycopg.Connection[Any]) -> None:
    """Let a connection take these; one that was opened before this module was imported knows no global dumpers."""
    if connection not in _ready:
        connection.adapters.register_dumper(Parameter, _ParameterDumper)
        connection.adapters.register_dumper(HalfParameter, _ParameterDumper)
        _ready.add(connection)
