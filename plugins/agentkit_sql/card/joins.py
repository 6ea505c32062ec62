"""Which tables belong together: declared keys, joins that a user wrote down, and joins that names tell."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile

from agentkit.sqlguard.schema import Column, Schema, TableInfo
from agentkit_sql.card.words import stem

# names that many tables have and that join nothing
_GENERIC = frozenset(
    ("id", "name", "title", "description", "status", "type", "created_at", "updated_at", "date", "year", "month", "day")
)
# endings of columns that two tables can share without belonging together
_NO_LINK = frozenset(
    ("type", "status", "date", "at", "time", "ts", "flag", "count", "amount", "description", "method", "number")
) | {"first_name", "last_name"}
_KEY_ENDINGS = ("_id", "_code", "_no", "_key", "_number", "_uuid", "_name", "id")
_FEW = 4
"""Tables that share a name by which they can be joined pairwise; more of them are joined by something else."""


Owners = dict[str, list[tuple[TableInfo, Column]]]
"""Lower-case column name -> the tables that have such a column."""


@dataclass(frozen=True)
class Join:
    """`left.columns[i] = right.to_columns[i]`; `declared` if the database or the user says so."""

    left: str
    columns: tuple[str, ...]
    right: str
    to_columns: tuple[str, ...]
    declared: bool = True

    def reversed(self) -> Join:
        return Join(self.right, self.to_columns, self.left, self.columns, self.declared)

    def __str__(self) -> str:
        pairs = zip(self.columns, self.to_columns, strict=True)
        return " AND ".join(f"{self.left}.{a} = {self.right}.{b}" for a, b in pairs)


@dataclass(frozen=True)
class JoinGraph:
    """The joins between the tables of a schema, by table name as the card writes it."""

    joins: tuple[Join, ...] = field(default=())

    @cached_property
    def by_table(self) -> dict[str, list[Join]]:
        found: dict[str, list[Join]] = defaultdict(list)
        for join in self.joins:
            found[join.left].append(join)
            found[join.right].append(join.reversed())
        return found

    def between(self, left: str, right: str) -> list[Join]:
        """The ways to join two tables directly; the declared ones alone if there are any."""
        ways = [j for j in self.by_table.get(left, ()) if j.right == right]
        return [j for j in ways if j.declared] or ways

    def path(self, start: str, goal: str, most: int = 2) -> list[Join] | None:
        """The joins from one table to another over at most `most` steps, None if there is none or several."""
        direct = self.between(start, goal)
        if direct:
            return direct if len(direct) == 1 else None
        ways = [
            [first, second]
            for first in self.by_table.get(start, ())
            for second in self.between(first.right, goal)
            if first.right not in {start, goal}
        ]
        unique = [w for w in ways if all(len(self.between(j.left, j.right)) == 1 for j in w)]
        declared = [w for w in unique if all(j.declared for j in w)] or unique
        return declared[0] if len(declared) == 1 and most > 1 else None

    def bridges(self, chosen: Iterable[str]) -> set[str]:
        """Tables to add so that the chosen ones hang together, by shortest paths from the first."""
        wanted = list(chosen)
        if not wanted:
            return set()
        before: dict[str, str | None] = {wanted[0]: None}
        queue = deque([wanted[0]])
        while queue:
            here = queue.popleft()
            for join in self.by_table.get(here, ()):
                if join.right not in before:
                    before[join.right] = here
                    queue.append(join.right)
        added: set[str] = set()
        for goal in wanted[1:]:
            step = before.get(goal)
            while step is not None:
                added.add(step)
                step = before[step]
        return added - set(wanted)


def full_name(table: TableInfo) -> str:
    """How a statement names a table: with its schema unless that is the default one."""
    return f"{table.schema}.{table.name}" if table.schema not in ("", "public", "main") else table.name


def join_graph(schema: Schema, said: Iterable[str] = ()) -> JoinGraph:
    """All joins of a schema. `said`: those that a user wrote, as `orders.customer_id = customers.id`.

    What names tell counts only between tables that no key joins, and a mere name only where nobody declared keys.
    """
    joins = [*_written(said), *_declared(schema)]
    declares = bool(joins)
    for way in (_told_by_keys, _told_by_prefixes, _told_by_names):
        linked = {frozenset((j.left, j.right)) for j in joins}
        if way is not _told_by_names or not declares:
            joins += [j for j in way(schema) if frozenset((j.left, j.right)) not in linked]
    unique = {frozenset(((j.left, j.columns), (j.right, j.to_columns))): j for j in reversed(joins)}
    return JoinGraph(tuple(reversed(unique.values())))


def _written(said: Iterable[str]) -> Iterator[Join]:
    for line in said:
        left, _, right = line.partition("=")
        (a, _, b), (c, _, d) = left.strip().rpartition("."), right.strip().rpartition(".")
        if a and c:
            yield Join(a, (b,), c, (d,))


def _declared(schema: Schema) -> Iterator[Join]:
    by_name = {t.name: full_name(t) for t in schema.tables} | {full_name(t): full_name(t) for t in schema.tables}
    for table in schema.tables:
        for key in table.foreign_keys:
            if key.table in by_name:
                yield Join(full_name(table), key.columns, by_name[key.table], key.to_columns)


def _told_by_keys(schema: Schema) -> Iterator[Join]:
    """`order.customer_id` with `customer.id`, `city.state_name` with `state.state_name`, or a shared key's name."""
    owners = _owners(schema)
    owned = {low: [(t, c) for t, c in found if _owns(t, low)] for low, found in owners.items()}
    homes = _declared_homes(schema)
    for table in schema.tables:
        for column in table.columns:
            home = homes.get(column.name.lower())
            if home and home.left != full_name(table):
                yield Join(full_name(table), (column.name,), home.left, home.columns, declared=False)
                continue
            for other, name in _targets(table, column, owners, owned):
                yield Join(full_name(table), (column.name,), full_name(other), (name,), declared=False)


def _told_by_prefixes(schema: Schema) -> Iterator[Join]:
    """Joins of tables whose columns all begin alike: `ordcustid` of `ord...` with `custid` of `cust...`."""
    prefixes = {full_name(t): (t, p) for t in schema.tables if (p := _prefix(t))}
    for left, (table, prefix) in prefixes.items():
        for column in table.columns:
            rest = column.name.lower()[len(prefix) :]
            base = _base(rest)
            for right, (other, begins) in prefixes.items() if base else ():
                key = begins + rest[len(base or "") :]
                known = next((c.name for c in other.columns if c.name.lower() == key), None)
                if right != left and known and begins.endswith(base or ""):
                    yield Join(left, (column.name,), right, (known,), declared=False)


def _prefix(table: TableInfo) -> str:
    """What all columns of a table begin with, '' if that is less than two letters or all of one name."""
    names = [c.name.lower() for c in table.columns]
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    common = "".join(letters[0] for letters in same) if len(names) > 2 else ""
    return common if len(common) > 1 and common not in names else ""


def _declared_homes(schema: Schema) -> dict[str, Join]:
    """Where the declared keys of a name point: what `user_id` means in one table it means in the others."""
    found: dict[str, set[Join]] = defaultdict(set)
    for join in _declared(schema):
        if len(join.columns) == 1:
            found[join.columns[0].lower()].add(Join(join.right, join.to_columns, join.right, join.to_columns))
    return {name: next(iter(homes)) for name, homes in found.items() if len(homes) == 1}


def _told_by_names(schema: Schema) -> Iterator[Join]:
    """Joins of tables that share no key, by a text column of the same name that has no table of its own."""
    for low, tables in _owners(schema).items():
        last = low.rpartition("_")[2]
        named = _base(low) is None or last == "name"
        if named and "_" in low and not {low, last} & _NO_LINK and len(tables) <= _FEW:
            for at, (left, name) in enumerate(tables):
                for right, other in tables[at + 1 :]:
                    yield Join(full_name(left), (name.name,), full_name(right), (other.name,), declared=False)


def _owners(schema: Schema) -> Owners:
    owners: Owners = defaultdict(list)
    for table in schema.tables:
        for column in table.columns:
            owners[column.name.lower()].append((table, column))
    return owners


def _targets(table: TableInfo, column: Column, owners: Owners, owned: Owners) -> Iterator[tuple[TableInfo, str]]:
    """The columns that a column of this name points at."""
    low = column.name.lower()
    base = _base(low)
    if low in _GENERIC or _owns(table, low):
        return
    homes = [(t, c.name) for t, c in owned[low][:2] if t is not table]
    if base and not homes:
        # `parent_course_id`, `from_airport_code`: the key of another table with a role before it
        for key in ("id", *(base[at:] + low[len(base) :] for at in _word_starts(base))):
            homes += [(t, c.name) for t, c in owners[key] if t is not table and _is_named(t, base, key)]
    if homes:
        # of many tables with the same key the one that is named after it is where all of them join
        yield homes[0]
    elif not base and "_" in low:
        # `from_airport` with `airport.airport_code`
        role = low.rpartition("_")[2]
        keys = [f"{role}{ending}" for ending in _KEY_ENDINGS]
        named = [(t, c) for key in keys for t, c in owners[key] if stem(t.name) == stem(role) and t is not table]
        yield from [(t, c.name) for t, c in named if _kind(c) == _kind(column)][:1]
    elif base and not low.endswith("_name"):
        same = [(t, c.name) for t, c in owners[low] if full_name(table) < full_name(t)]
        yield from same if len(owners[low]) <= _FEW else []


def _owns(table: TableInfo, key: str) -> bool:
    """Whether a key's name says that it is this table's own: `author_id`, `aid` of `author`, or the primary key."""
    base, name = _base(key), stem(table.name)
    return table.primary_key == (key,) or (
        bool(base) and (stem(base or "") == name or (base == name[:1] and "_" not in name))
    )


def is_own_key(name: str, table: TableInfo) -> bool:
    """Whether a name is what a table's key is called elsewhere: `order_id` or `orders_id` of `orders`."""
    low, own = name.lower(), stem(table.name)
    return low in {f"{own}_id", f"{own}id", f"{table.name.lower()}_id"}


def _is_named(table: TableInfo, base: str, key: str) -> bool:
    name = stem(table.name)
    return stem(base) == name or (base.endswith(f"_{name}") and (key == "id" or _owns(table, key)))


def _base(low: str) -> str | None:
    """`customer` of `customer_id`; None if the name does not look like a key's."""
    for ending in _KEY_ENDINGS:
        if low.endswith(ending) and len(low) > len(ending):
            return low[: -len(ending)].rstrip("_")
    return None


def _kind(column: Column) -> str:
    """Whether a column holds whole numbers, others, or text."""
    low = column.type.lower()
    if "int" in low or "serial" in low:
        return "integer"
    return "number" if any(k in low for k in ("num", "dec", "real", "double", "float")) else "text"


def _word_starts(base: str) -> list[int]:
    return [at + 1 for at, letter in enumerate(base) if letter == "_"]
