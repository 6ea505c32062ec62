"""What a statement may be made of: the kinds of nodes of its tree, by name."""

from __future__ import annotations

_QUERIES = """
Select Union Intersect Except Subquery Values With CTE From Join Lateral Where Group GroupingSets Rollup Cube Having
Qualify Window WindowSpec Order Ordered Limit LimitOptions Offset Fetch Distinct Table TableAlias TableSample Star
RecursiveWithSearch Paren Tuple Alias Aliases Column Identifier Filter WithinGroup IgnoreNulls RespectNulls Dot
ColumnDef PositionalColumn HavingMax
"""
_OPERATORS = """
Add Sub Mul Div IntDiv Mod Neg Not EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is In Between Like ILike SimilarTo Glob
Escape Match Overlaps Adjacent ExtendsLeft ExtendsRight Distance DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot
BitwiseLeftShift BitwiseRightShift Any All AtTimeZone FromTimeZone Bracket Slice Lambda Comprehension PropertyEQ Kwarg
"""
_VALUES = """
Literal Boolean Null Interval IntervalSpan Var DataType DataTypeParam BitString HexString RawString National ByteString
JSONPath JSONPathKey JSONPathRoot JSONPathSubscript JSONPathWildcard JSONPathSlice JSONPathRecursive JSONPathUnion
JSONKeyValue JSONExtractQuote OnCondition WeekStart
"""
NODES = frozenset(f"{_QUERIES} {_OPERATORS} {_VALUES}".split())
"""Names of sqlglot's classes beside functions, which have a list of their own."""

TOLD = {
    "Lock": ("locking", "FOR UPDATE and the like lock rows; leave it out"),
    "Into": ("writing", "SELECT INTO makes a table; leave INTO out"),
    "Insert": ("writing", "a WITH may hold SELECT only"),
    "Update": ("writing", "a WITH may hold SELECT only"),
    "Delete": ("writing", "a WITH may hold SELECT only"),
    "Merge": ("writing", "a WITH may hold SELECT only"),
    "Placeholder": ("parameters", "write the value itself"),
    "Parameter": ("parameters", "write the value itself"),
    "SessionParameter": ("parameters", "write the value itself"),
    "ObjectIdentifier": ("types", "types that look into the catalogues, such as regclass, are not allowed"),
    "PseudoType": ("types", "only types of values are allowed"),
    "Operator": ("operators", "write the operator itself, without OPERATOR(...)"),
    "UnicodeString": ("strings", "write the character itself instead of U&'...'"),
    "Pivot": ("pivot", "use sum(CASE WHEN ... END) for each column"),
}
"""Why a node that people may well write is refused: the rule, and what to do."""

TABLE_PARTS = frozenset("this db catalog alias joins laterals sample ordinality rows_from only indexed".split())  # noqa: SIM905
"""What may belong to a table in FROM."""

CATALOGUES = ("pg_", "information_schema", "sqlite_", "duckdb_", "pragma_", "sqlite3_")
"""How the names of catalogues and their schemas begin."""

ABOUT_USERS = frozenset(
    "user current_user session_user system_user current_role current_catalog current_schema current_database".split()  # noqa: SIM905
)
"""Functions that are written like columns."""

SYSTEM_COLUMNS = frozenset("tableoid xmin xmax cmin cmax ctid".split())  # noqa: SIM905
"""Columns that every table of PostgreSQL has beside its own."""

TYPES = frozenset(
    """BIGINT BINARY BIT BLOB BOOLEAN CHAR DATE DATETIME DATETIME2 DECIMAL DECIMAL32 DECIMAL64 DECIMAL128 DECIMAL256
    DOUBLE ENUM FLOAT HLLSKETCH HSTORE HUGEINT INET INT INT128 INT256 INTERVAL JSON JSONB LIST ARRAY LONGBLOB LONGTEXT
    MAP MEDIUMINT MONEY NAME NULL NUMRANGE NUMMULTIRANGE DATERANGE DATEMULTIRANGE INT4RANGE INT4MULTIRANGE INT8RANGE
    INT8MULTIRANGE NVARCHAR NCHAR OBJECT SERIAL SMALLINT STRUCT TEXT TIME TIMETZ TIMESTAMP TIMESTAMPLTZ TIMESTAMPNTZ
    TIMESTAMPTZ TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS TINYINT TSRANGE TSMULTIRANGE TSTZRANGE TSTZMULTIRANGE UBIGINT
    UHUGEINT UINT UINT128 UINT256 UMEDIUMINT UNION USMALLINT UTINYINT UDECIMAL UDOUBLE UUID VARBINARY VARCHAR VARIANT
    YEAR TSVECTOR TSQUERY VECTOR POINT BIGNUM BIGDECIMAL UNKNOWN TINYTEXT SMALLMONEY TDIGEST IPADDRESS IPPREFIX
    ROWVERSION SET""".split()  # noqa: SIM905
)
"""Types that a value may be converted to; others only if a column that is visible has them."""
