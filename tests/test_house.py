"""What keeps the house in order: floors, sizes, pages, start-up, and documentation that is true."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agentkit import hookspecs
from agentkit.cli import COMMANDS, cli, common
from agentkit.errors import BadInput
from agentkit.trust import trust

ROOT = Path(__file__).parent.parent
CORE = ROOT / "agentkit"
FRONT_DOOR = "agentkit"
"""`agentkit/__init__.py`: offers names of all floors, loaded when they are used."""
COMMANDS_OF_A_PLUGIN = {"agentkit.cli.models": "agentkit_local"}
"""The one built-in command that works on a plugin's files."""
HEAVY = (
    "langchain", "langchain_core", "langgraph", "langsmith", "pandas", "numpy", "sklearn", "mlflow", "openai",
    "anthropic", "pydantic", "duckdb", "sqlglot",
)  # fmt: skip
SOURCES = (".py", ".md", ".toml", ".txt", ".yml", ".json", ".jsonl", "")


def files(*folders: str, ending: str = ".py") -> list[Path]:
    """The files of these folders, without what tools leave behind."""
    found = [f for folder in folders for f in (ROOT / folder).rglob(f"*{ending}") if f.is_file()]
    return sorted(f for f in found if not any(p.startswith((".", "__pycache__")) for p in f.relative_to(ROOT).parts))


def texts() -> list[Path]:
    """Every text file of the project."""
    own = [f for f in ROOT.iterdir() if f.is_file() and f.name != "LICENSE" and not f.name.startswith(".")]
    folders = [f.name for f in ROOT.iterdir() if f.is_dir() and not f.name.startswith((".", "_"))]
    kept = [f for f in folders if f not in ("dist", "build", "demo", "mlruns")]
    return [f for f in [*own, *files(*kept, ending="")] if f.suffix in SOURCES]


def module_of(file: Path, base: Path = ROOT) -> str:
    parts = file.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(f): f for f in files("agentkit")}
PLUGIN_MODULES = {module_of(f, ROOT / "plugins"): f for f in files("plugins")}


def imports(file: Path) -> Iterator[tuple[str, str | None]]:
    """(module, name) of each import, in functions too, but not those for types. `import module` has the name None."""
    yield from _imports(ast.parse(file.read_text(encoding="utf-8")))


def _imports(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, None) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative imports hide where a thing comes from"
            yield from ((str(child.module), alias.name) for alias in child.names)
        else:
            yield from _imports(child)


def room(module: str, name: str | None) -> str:
    """The module that an import reaches: `from agentkit import Agent` reaches agentkit.agent."""
    from agentkit import _MODULE_OF

    if f"{module}.{name}" in MODULES:
        return f"{module}.{name}"
    return _MODULE_OF.get(str(name), module) if module == FRONT_DOOR else module


def floors() -> dict[str, int]:
    """Module -> floor, from the table in docs/architecture.md."""
    table = re.findall(r"^\| (\d|-) \| (.+?) \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    found: dict[str, int] = {}
    for floor, rooms in table:
        for path in re.findall(r"`(agentkit/[\w/]+(?:\.py)?/?)`", rooms):
            for module in MODULES:
                name = path.removesuffix(".py").strip("/").replace("/", ".")
                if module == name or (path.endswith("/") and module.startswith(f"{name}.")):
                    found[module] = 9 if floor == "-" else int(floor)
    return found


FLOORS = floors()


class TestFloors:
    def test_every_module_is_in_the_table_of_docs_architecture(self) -> None:
        assert set(MODULES) - set(FLOORS) == {FRONT_DOOR}

    def test_the_table_names_nothing_that_is_not_there(self) -> None:
        page = (ROOT / "docs" / "architecture.md").read_text()
        named = re.findall(r"`((?:agentkit|plugins|prompts|evals|examples)/[\w/.]*)`", page)
        assert len(named) > 25
        assert [path for path in named if not (ROOT / path).exists()] == []

    @pytest.mark.parametrize("module", sorted(set(MODULES) - {FRONT_DOOR}))
    def test_a_room_imports_only_from_its_own_floor_and_those_below(self, module: str) -> None:
        for reached in (room(m, n) for m, n in imports(MODULES[module])):
            if reached in FLOORS:
                assert FLOORS[reached] <= FLOORS[module], f"{module} (floor {FLOORS[module]}) imports {reached}"

    @pytest.mark.parametrize("module", sorted(MODULES))
    def test_the_core_imports_no_plugin(self, module: str) -> None:
        reached = {m.partition(".")[0] for m, _ in imports(MODULES[module])}
        assert {m for m in reached if m.startswith("agentkit_")} <= {COMMANDS_OF_A_PLUGIN.get(module, "")}

    @pytest.mark.parametrize("module", sorted(PLUGIN_MODULES))
    def test_a_plugin_imports_public_rooms_and_no_other_plugin(self, module: str) -> None:
        own = module.partition(".")[0]
        for reached, name in imports(PLUGIN_MODULES[module]):
            package, *rest = reached.split(".")
            if package.startswith("agentkit_"):
                assert package == own, f"{module} imports {reached}"
            if package == "agentkit":
                hidden = [part for part in [*rest, name or ""] if part.startswith("_") and not part.endswith("__")]
                assert not hidden, f"{module} imports {reached}.{name}"
                assert room(reached, name) != "agentkit.cli", f"{module} imports the command line"

    def test_the_rules_would_notice(self, tmp_path: Path) -> None:
        """An import inside a function counts, one for types does not."""
        (tmp_path / "m.py").write_text(
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from agentkit.agent import Agent\n"
            "def f():\n    from agentkit import models, Reply\n    import agentkit.cli.chat\n"
        )
        reached = [room(m, n) for m, n in imports(tmp_path / "m.py")]
        assert reached == ["typing", "agentkit.models", "agentkit.agent", "agentkit.cli.chat"]


def test_no_file_is_longer_than_500_lines() -> None:
    sources = files("agentkit", "plugins", "tests", "evals", "examples")
    long = {f.name: n for f in sources if (n := len(f.read_text(encoding="utf-8").splitlines())) > 500}
    assert long == {}


def test_there_are_no_stubs_and_no_shelves_for_everything() -> None:
    names = [f.stem for f in files("agentkit", "plugins")]
    assert not {"utils", "util", "helpers", "misc", "common_utils"} & set(names)
    for file in files("agentkit", "plugins"):
        assert not re.search(r"\b(TODO|FIXME|XXX)\b", file.read_text(encoding="utf-8")), file


class TestHooks:
    HOOKS = sorted(name for name, thing in vars(hookspecs).items() if hasattr(thing, f"{hookspecs.PROJECT}_spec"))

    def test_the_hooks_are_found(self) -> None:
        assert {"register_tools", "review_tool_call", "on_event"} <= set(self.HOOKS)

    @pytest.mark.parametrize("hook", HOOKS)
    def test_every_hook_has_a_test(self, hook: str) -> None:
        trees = [ast.parse(f.read_text(encoding="utf-8")) for f in files("tests")]
        functions = {n.name for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        assert f"test_hook_{hook}" in functions

    @pytest.mark.parametrize("hook", HOOKS)
    def test_every_hook_has_a_section_with_its_signature_and_an_example(self, hook: str) -> None:
        sections = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8").split("\n### ")
        (section,) = (s for s in sections if s.startswith(f"`{hook}("))
        arguments = getattr(hookspecs, hook).__code__.co_varnames
        assert section.startswith(f"`{hook}({', '.join(arguments)}) -> ")
        assert f"@hookimpl\ndef {hook}(" in section


class TestCommands:
    @staticmethod
    def section(command: str) -> str:
        page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
        (found,) = (s for s in page.split("\n## ")[1:] if s.startswith(f"agentkit {command}\n"))
        return found

    @staticmethod
    def commands(name: str) -> Iterator[tuple[str, click.Command]]:
        """A command and its own commands. Those of `tool` are the plugins' tools."""
        from agentkit.specs import resolve

        command: click.Command = resolve(COMMANDS[name][0])
        yield name, command
        if isinstance(command, click.Group) and name != "tool":
            yield from ((f"{name} {sub}", child) for sub, child in command.commands.items())

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_has_a_test(self, name: str) -> None:
        tests = "".join(f.read_text(encoding="utf-8") for f in files("tests"))
        assert f'cli("{name}"' in tests or f'("{name}", ' in tests

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_has_a_section_with_an_example(self, name: str) -> None:
        assert f"\nagentkit {name}" in self.section(name)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_the_section_tells_every_command_and_option(self, name: str) -> None:
        page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
        section = self.section(name) + page.partition("\n## ")[0]
        for full_name, command in self.commands(name):
            assert f"agentkit {full_name}" in section or f"`{full_name.partition(' ')[2]}" in section, full_name
            options = [o for p in command.params if isinstance(p, click.Option) for o in p.opts if o.startswith("--")]
            assert [o for o in options if f"`{o}" not in section and f"{o}`" not in section] == []

    @pytest.mark.parametrize("name", COMMANDS)
    def test_a_section_with_json_says_what_it_prints(self, name: str) -> None:
        prints = any("--json" in p.opts for _, command in self.commands(name) for p in command.params)
        assert ("json` prints" in " ".join(self.section(name).split())) is (prints or name == "tool")

    @pytest.mark.parametrize("name", COMMANDS)
    def test_the_summary_in_the_table_is_the_first_sentence_of_the_help(self, name: str) -> None:
        (_, command), *_ = self.commands(name)
        first = " ".join(inspect.cleandoc(str(command.help)).partition("\n\n")[0].split())
        assert re.match(r".*?[.](?= |$)", first)[0] == COMMANDS[name][1]  # type: ignore[index]

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_help_has_examples(self, name: str) -> None:
        (_, command), *_ = self.commands(name)
        assert f"\n  agentkit {name}" in inspect.cleandoc(str(command.help))


@pytest.mark.parametrize("arguments", [["--help"], ["tools"]])
def test_starting_up_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom agentkit.cli import main\ntry:\n    main()\nfinally:\n"
        f"    sys.stderr.write(' '.join(m for m in {HEAVY!r} if m in sys.modules))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    assert "train" in ended.stdout


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *files("docs", ending=".md")]


def command_lines(page: Path) -> Iterator[str]:
    """The `agentkit ...` lines of a page: in fenced or indented blocks, and in `back ticks` without a PLACEHOLDER."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = "\n".join(re.findall(r"^```(?:bash|console|text)?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    yield from re.findall(r"^(?:\$ )?(agentkit .*)$", fenced, re.MULTILINE)
    yield from re.findall(r"^ {4}(?:\$ )?(agentkit .*)$", text, re.MULTILINE)
    inline = re.findall(r"(?<!`)`(agentkit [^`\n]+)`(?!`)", text)
    yield from (line for line in inline if not re.search(r"\b[A-Z]{3,}\b", line))


def plugins_of(page: Path, folder: Path) -> list[str]:
    """The plugins that a page shows, each written into a file of the folder."""
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    shown = [block for block in blocks if "@hookimpl" in block]
    for number, source in enumerate(shown):
        (folder / f"shown_{number}.py").write_text(source, encoding="utf-8")
    return [f"shown_{number}.py" for number in range(len(shown))]


def problem_of(line: str) -> str:
    """Why a shell command would be refused before it does anything, '' if it would not."""
    words = [w for w in shlex.split(line, comments=True) if w != "..."]
    stops = [i for i, w in enumerate(words) if w in ("|", ">", "&&", ";")]
    command: click.Command = cli
    try:
        context = command.make_context("agentkit", words[1 : stops[0] if stops else None])
        while isinstance(command, click.Group):
            name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            assert found is not None
            command = found
            context = command.make_context(name, rest, parent=context)
    except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):
        return ""
    except (click.ClickException, BadInput) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=[p.name for p in PAGES])
def test_the_commands_that_a_page_shows_are_real(page: Path, workspace: Path) -> None:
    common.settings.cache_clear()
    common.plugins.cache_clear()
    settings = workspace / "agentkit.toml"
    settings.write_text(f"[plugins]\npaths = {plugins_of(page, workspace)}\n", encoding="utf-8")
    trust(settings, settings.read_bytes())
    assert common.plugins().failed == []
    (workspace / "team-prompts").mkdir()  # click looks whether a folder that is named is there
    problems = {line: problem for line in command_lines(page) if (problem := problem_of(line))}
    assert problems == {}


def test_a_command_that_is_not_real_is_noticed() -> None:
    assert problem_of("agentkit tool train --dataset a.csv --target b --budget_seconds 5 --json > out.json") == ""
    assert "no command 'tols'" in problem_of("agentkit tols")
    assert "--lst" in problem_of("agentkit traces list --lst 5")
    assert "--colour" in problem_of("agentkit --colour tools")
    assert "--taget" in problem_of("agentkit tool train --dataset a.csv --taget b")
    assert "target" in problem_of("agentkit tool train --dataset a.csv")
    assert "trian" in problem_of("agentkit tool trian")


class TestPlaces:
    def test_no_file_names_a_folder_of_somebodys_machine(self) -> None:
        place = re.compile(r"(?<![\w.])(?:/(?:root|work|Users)/|/home/(?!user\b))[\w.]+")
        found = {str(f.relative_to(ROOT)): m[0] for f in texts() if (m := place.search(f.read_text(encoding="utf-8")))}
        assert found == {}

    def test_no_file_names_a_package_registry(self) -> None:
        host = re.compile(
            r"(pypi|pythonhosted|anaconda|jfrog|artifactory|devpi)[\w.-]*\.(org|com|io|net)|--(extra-)?index-url "
        )
        found = {str(f.relative_to(ROOT)): m[0] for f in texts() if (m := host.search(f.read_text(encoding="utf-8")))}
        assert found == {}

    def test_requirements_are_pinned_with_hashes_and_no_address(self) -> None:
        text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
        assert "://" not in text
        assert not re.search(r"^-", text, re.MULTILINE)
        pins = [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip()]
        assert len(pins) > 100
        assert [p for p in pins if not re.match(r"[\w.\[\],-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", p)] == []
