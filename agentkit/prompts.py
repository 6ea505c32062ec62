"""Prompt files: `NAME.prompt.md`, found, checked, rendered and hashed.

A file is YAML front matter, then sections headed `# system`, `# user` or `# assistant`, each a Jinja2 template.
Sections are split before rendering, so data that is filled in can never open a section of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from agentkit.errors import PromptError, suggest

SUFFIX = ".prompt.md"
Role = Literal["system", "user", "assistant"]
InputType = Literal["string", "integer", "number", "boolean", "list", "object"]
_PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list, tuple),
    "object": (dict,),
}
_SECTION = re.compile(r"^# (system|user|assistant)[ \t]*$", re.MULTILINE)


class Message(NamedTuple):
    """One rendered section; a (role, text) pair as LangChain takes it."""

    role: Role
    text: str


class Input(BaseModel):
    """A value that a prompt takes. Without a `default` it must be given."""

    model_config = ConfigDict(extra="forbid")

    type: InputType = "string"
    description: str = ""
    default: Any = None
    required: bool | None = None

    @property
    def must(self) -> bool:
        return self.required if self.required is not None else "default" not in self.model_fields_set


def _input_name(name: str) -> str:
    if not name.isidentifier() or name in ("self", "examples"):
        raise ValueError(f"{name!r} cannot be the name of an input")
    return name


class Header(BaseModel):
    """The front matter. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")

    description: str
    version: int = 1
    inputs: dict[Annotated[str, AfterValidator(_input_name)], Input] = Field(default_factory=dict)
    model: str | None = None
    tools: list[str] | None = None
    output: dict[str, Any] | None = None
    examples: list[dict[str, Any]] | str = Field(default_factory=list)


@dataclass(frozen=True)
class Prompt:
    """A checked prompt file."""

    name: str
    path: Path
    header: Header
    sections: tuple[tuple[Role, str], ...]
    examples: tuple[dict[str, Any], ...]
    hash: str

    def render(self, **inputs: Any) -> list[Message]:
        """Fill in the inputs. Raises PromptError for missing, unknown or wrongly typed ones."""
        values = self._check(inputs)
        return [Message(role, self._fill(text, values)) for role, text in self.sections]

    def text(self, role: Role, **inputs: Any) -> str:
        """The rendered sections of one role, joined."""
        return "\n\n".join(m.text for m in self.render(**inputs) if m.role == role)

    def _check(self, given: dict[str, Any]) -> dict[str, Any]:
        declared = self.header.inputs
        for name in given:
            if name not in declared:
                known = ", ".join(declared) or "none"
                hint = suggest(name, declared)
                raise PromptError(f"prompt {self.name!r} has no input {name!r} (it has: {known}).{hint}")
        for name, spec in declared.items():
            if name not in given and spec.must:
                raise PromptError(
                    f"prompt {self.name!r} needs the input {name!r} ({spec.type}). {spec.description}".rstrip()
                )
            if name in given and not _fits(given[name], spec.type):
                raise PromptError(f"prompt {self.name!r}: input {name!r} must be a {spec.type}, not {given[name]!r}.")
        return {name: given.get(name, spec.default) for name, spec in declared.items()}

    def _fill(self, template: str, values: dict[str, Any]) -> str:
        try:
            filled: str = _environment().from_string(template).render(**values, examples=self.examples)
        except Exception as error:  # a template can raise what any expression can
            raise PromptError(f"prompt {self.name!r} ({self.path}): {error}") from error
        return filled.strip()


class Prompts:
    """Prompt files by name, from folders in the order in which they are searched."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = tuple(folders)
        self._read: dict[Path, tuple[tuple[int, int], Prompt]] = {}

    @cached_property
    def paths(self) -> dict[str, Path]:
        """The file that each name means: the first folder's wins."""
        found: dict[str, Path] = {}
        for path in _files(self.folders):
            found.setdefault(path.name.removesuffix(SUFFIX), path)
        return found

    def get(self, name: str) -> Prompt:
        """Read and check one prompt, again only if its file has changed. Raises PromptError."""
        if name not in self.paths:
            raise PromptError(
                f"there is no prompt {name!r}.{suggest(name, self.paths)} `agentkit prompts list` shows them."
            )
        path = self.paths[name]
        now = _stamp(path)
        before, prompt = self._read.get(path, (None, None))
        if prompt is None or before != now:
            prompt = read_prompt(path)
            if now is not None and not isinstance(prompt.header.examples, str):
                self._read[path] = now, prompt
        return prompt


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written; None if it cannot be told."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def search_folders(project: Path, plugin_folders: Iterable[Path], first: Path | None = None) -> list[Path]:
    """Where prompts are looked for: `first`, the project's, the user's, the plugins', the packaged ones."""
    from platformdirs import user_config_path

    own = [first] if first else []
    return [
        *own,
        project / "prompts",
        user_config_path("agentkit") / "prompts",
        *plugin_folders,
        packaged_folder("prompts"),
    ]


def packaged_folder(name: str) -> Path:
    """What comes with agentkit, `prompts` or `docs`: inside the package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / f"_{name}"
    return inside if inside.is_dir() else package.parent / name


def read_prompt(path: Path) -> Prompt:
    """Parse one prompt file. Raises PromptError that names the file and what is wrong with it."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"{path} cannot be read: {error}") from error
    matter = re.match(r"---\n(.*?)^---\s*$", text, re.DOTALL | re.MULTILINE)
    if not matter:
        raise PromptError(f"{path} has no front matter (--- lines around YAML) at its top.")
    try:
        header = Header.model_validate(yaml.safe_load(matter[1]) or {})
    except (yaml.YAMLError, ValidationError) as error:
        raise PromptError(f"{path}: front matter: {_first_problem(error)}") from error
    pieces = _SECTION.split(text[matter.end() :])
    if pieces[0].strip() or len(pieces) < 3:
        raise PromptError(
            f"{path}: the text after the front matter must begin with '# system', '# user' or '# assistant'."
        )
    sections = [(cast(Role, role), body.strip()) for role, body in zip(pieces[1::2], pieces[2::2], strict=True)]
    examples, more = _examples(path, header)
    digest = hashlib.sha256(f"{text}{more}".encode()).hexdigest()[:12]
    return Prompt(path.name.removesuffix(SUFFIX), path, header, tuple(sections), examples, digest)


def _examples(path: Path, header: Header) -> tuple[tuple[dict[str, Any], ...], str]:
    """The few-shot examples, and the text of the file beside the prompt that they come from, '' if inline."""
    if not isinstance(header.examples, str):
        return tuple(header.examples), ""
    file = path.parent / header.examples
    try:
        text = file.read_text(encoding="utf-8")
        examples = tuple(json.loads(line) for line in text.splitlines() if line.strip())
    except (OSError, ValueError) as error:
        raise PromptError(f"{path}: examples: {file} cannot be read: {error}") from error
    if not all(isinstance(e, dict) for e in examples):
        raise PromptError(f"{path}: examples: every line of {file} must be a JSON object.")
    return examples, text


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from sorted(folder.glob(f"*{SUFFIX}"))


def _fits(value: Any, kind: InputType) -> bool:
    return isinstance(value, _PYTHON[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _first_problem(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).replace("\n", " ")


def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
