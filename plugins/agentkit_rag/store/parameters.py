"""A query's vector in pgvector's binary form: text costs as much as the search."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, ClassVar

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


def know_parameters(connection: psycopg.Connection[Any]) -> None:
    """Let a connection take these parameters: it may be older than this module, and keeps what was known then."""
    for kind in (Parameter, HalfParameter):
        connection.adapters.register_dumper(kind, _ParameterDumper)
