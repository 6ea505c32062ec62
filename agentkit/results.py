"""What tools give back: typed fields for programs, a brief for the model, artifacts for people."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

BRIEF_LIMIT = 1_200
"""Characters of a result that the model reads; longer briefs are cut at a line."""


class Table(BaseModel):
    """Columns and rows to look at. `handle` names the full table if `rows` is only its beginning."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["table"] = "table"
    title: str = ""
    columns: list[str]
    rows: list[list[Any]]
    units: dict[str, str] = Field(default_factory=dict)
    handle: str | None = None


class Figure(BaseModel):
    """A picture file of the workspace."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["figure"] = "figure"
    title: str
    path: str


class File(BaseModel):
    """A file that a tool wrote into the workspace."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["file"] = "file"
    path: str
    rows: int | None = None


class Citation(BaseModel):
    """Where a claim comes from: a source, and the quoted text in it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["citation"] = "citation"
    source: str
    text: str


Artifact = Table | Figure | File | Citation


class ToolResult(BaseModel):
    """Base of every tool's answer. Subclasses add typed fields and say the main thing in `brief`."""

    model_config = ConfigDict(extra="forbid")

    notes: list[str] = Field(default_factory=list, description="What was repaired, dropped or assumed")

    def brief(self) -> str:
        """What the model reads: the main result with units, and the next sensible step if there is one."""
        raise NotImplementedError(f"{type(self).__name__} must say in brief() what the model reads")

    @property
    def artifacts(self) -> list[Artifact]:
        """Tables, figures and files that people look at."""
        return []

    def whole(self) -> str:
        """The brief with the notes, uncut."""
        return "\n".join([self.brief(), *(f"Note: {n}" for n in self.notes)])

    def message(self) -> str:
        """The brief with the notes, cut at a line to at most BRIEF_LIMIT characters."""
        text = self.whole()
        if len(text) <= BRIEF_LIMIT:
            return text
        cut = text.rfind("\n", 0, BRIEF_LIMIT - 20)
        # a line that is longer than half of the limit is itself cut: little would be left without it
        return text[: cut if cut > BRIEF_LIMIT // 2 else BRIEF_LIMIT - 20] + "\n[shortened]"


class TextResult(ToolResult):
    """A plain text answer: what a tool returns that has no more to tell, or that is a LangChain tool."""

    text: str

    def brief(self) -> str:
        return self.text
