"""Prompt files: which file a name means, what is an error, and that data stays data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.errors import PromptError
from agentkit.prompts import Prompt, Prompts, packaged_folder, read_prompt, search_folders

HEAD = """---
description: Greets
version: 3
inputs:
  name: {type: string, description: Whom to greet}
  times: {type: integer, default: 1}
  loud: {type: boolean, default: false}
  items: {type: list, default: []}
---
"""
GREETING = HEAD + "# system\nYou greet.\n\n# user\nGreet {{ name }} {{ times }} times.\n"


def write(folder: Path, text: str, name: str = "greet") -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    file = folder / f"{name}.prompt.md"
    file.write_text(text, encoding="utf-8")
    return file


def prompt(folder: Path, text: str) -> Prompt:
    return read_prompt(write(folder, text))


class TestReading:
    def test_a_file_gives_its_header_and_its_sections(self, workspace: Path) -> None:
        found = prompt(workspace, GREETING)
        assert (found.name, found.header.description, found.header.version) == ("greet", "Greets", 3)
        assert found.sections == (("system", "You greet."), ("user", "Greet {{ name }} {{ times }} times."))

    def test_windows_line_endings_are_read(self, workspace: Path) -> None:
        file = workspace / "greet.prompt.md"
        file.write_bytes(GREETING.replace("\n", "\r\n").encode())
        assert read_prompt(file).render(name="Ada")[1].text == "Greet Ada 1 times."

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("# user\nhello\n", "no front matter"),
            ("---\ndescription: x\n# user\nhello\n", "no front matter"),
            ("---\n---\n# user\nhello\n", "description: Field required"),
            ("---\ndescription: x\nmodell: local\n---\n# user\nhello\n", "modell: Extra inputs are not permitted"),
            ("---\ndescription: x\ninputs: {a: {type: text}}\n---\n# user\nhello\n", "inputs.a.type"),
            ("---\ndescription: x\ninputs: {a: {kind: string}}\n---\n# user\nhello\n", "inputs.a.kind"),
            ("---\ndescription: x\ninputs: {examples: {}}\n---\n# user\nhello\n", "cannot be the name of an input"),
            ("---\ndescription: x\ninputs: {two words: {}}\n---\n# user\nhello\n", "cannot be the name of an input"),
            ("---\ndescription: [\n---\n# user\nhello\n", "front matter"),
            ("---\n- a list\n---\n# user\nhello\n", "front matter"),
            ("---\ndescription: x\n---\nhello\n", "must begin with"),
            ("---\ndescription: x\n---\nhello\n# user\nhello\n", "must begin with"),
            ("---\ndescription: x\n---\n", "must begin with"),
        ],
    )
    def test_what_is_wrong_with_a_file_is_told_with_its_path(self, workspace: Path, text: str, problem: str) -> None:
        with pytest.raises(PromptError) as raised:
            prompt(workspace, text)
        assert str(workspace / "greet.prompt.md") in str(raised.value)
        assert problem in str(raised.value)

    def test_the_hash_follows_the_content(self, workspace: Path) -> None:
        first, again = prompt(workspace, GREETING), prompt(workspace / "copy", GREETING)
        assert first.hash == again.hash
        assert len(first.hash) == 12
        assert prompt(workspace, GREETING.replace("You greet.", "You greet!")).hash != first.hash


class TestRendering:
    def test_inputs_fill_the_sections_and_defaults_hold(self, workspace: Path) -> None:
        found = prompt(workspace, GREETING)
        assert found.render(name="Ada", times=2) == [("system", "You greet."), ("user", "Greet Ada 2 times.")]
        assert found.text("user", name="Ada") == "Greet Ada 1 times."

    @pytest.mark.parametrize(
        ("inputs", "problem"),
        [
            ({}, "needs the input 'name' (string). Whom to greet"),
            ({"name": "Ada", "tmes": 2}, "no input 'tmes' (it has: name, times, loud, items). The nearest"),
            ({"name": 5}, "input 'name' must be a string, not 5"),
            ({"name": "Ada", "times": "two"}, "input 'times' must be a integer, not 'two'"),
            ({"name": "Ada", "times": True}, "input 'times' must be a integer, not True"),
            ({"name": "Ada", "loud": 1}, "input 'loud' must be a boolean, not 1"),
            ({"name": "Ada", "items": "abc"}, "input 'items' must be a list, not 'abc'"),
        ],
    )
    def test_wrong_inputs_are_named(self, workspace: Path, inputs: dict[str, Any], problem: str) -> None:
        with pytest.raises(PromptError) as raised:
            prompt(workspace, GREETING).render(**inputs)
        assert "prompt 'greet'" in str(raised.value)
        assert problem in str(raised.value)

    @pytest.mark.parametrize(
        ("template", "problem"),
        [
            ("{{ nam }}", "'nam' is undefined"),
            ("{{ name.first }}", "no attribute 'first'"),
            ("{% if name %}", "Unexpected end of template"),
            ("{{ name + 1 }}", "str"),
            ("{{ 1 / 0 }}", "division by zero"),
            ("{{ range(1000000) | list }}", "too big"),
        ],
    )
    def test_what_a_template_does_wrong_is_told_with_its_file(
        self, workspace: Path, template: str, problem: str
    ) -> None:
        with pytest.raises(PromptError) as raised:
            prompt(workspace, f"{HEAD}# user\n{template}\n").render(name="Ada")
        assert "greet.prompt.md" in str(raised.value)
        assert problem in str(raised.value)

    @pytest.mark.parametrize(
        "template",
        [
            "{{ name.__class__.__mro__ }}",
            "{{ ''.__class__.__base__.__subclasses__() }}",
            "{{ items.append(1) }}",
            "{{ self.__init__.__globals__ }}",
            "{% include '/etc/hostname' %}",
        ],
    )
    def test_templates_run_in_a_sandbox(self, workspace: Path, template: str) -> None:
        with pytest.raises(PromptError):
            prompt(workspace, f"{HEAD}# user\n{template}\n").render(name="Ada")

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        data=st.one_of(
            st.text(),
            st.lists(
                st.sampled_from(
                    ["# system", "# user", "# assistant", "\n", "---", "{{ name }}", "{% raw %}", "\r", "x"]
                )
            ).map("".join),
        )
    )
    def test_data_cannot_forge_a_role(self, workspace: Path, data: str) -> None:
        file = workspace / "greet.prompt.md"
        if not file.exists():
            write(workspace, HEAD + "# system\nYou greet.\n\n# user\n[{{ name }}]\n")
        system, user = read_prompt(file).render(name=data)
        assert system == ("system", "You greet.")
        assert user == ("user", f"[{data}]")


class TestExamples:
    TEXT = (
        "---\ndescription: x\nexamples: {examples}\n---\n"
        "# user\n{{% for e in examples %}}{{{{ e.q }}}};{{% endfor %}}\n"
    )

    def test_they_may_stand_in_the_header(self, workspace: Path) -> None:
        found = prompt(workspace, self.TEXT.format(examples="[{q: one}, {q: two}]"))
        assert found.render() == [("user", "one;two;")]

    def test_they_may_stand_in_a_file_beside_which_counts_for_the_hash(self, workspace: Path) -> None:
        beside = workspace / "shots.jsonl"
        beside.write_text('{"q": "one"}\n\n{"q": "two"}\n')
        first = prompt(workspace, self.TEXT.format(examples="shots.jsonl"))
        assert first.render() == [("user", "one;two;")]
        beside.write_text('{"q": "three"}\n')
        second = read_prompt(first.path)
        assert second.render() == [("user", "three;")]
        assert second.hash != first.hash

    @pytest.mark.parametrize("content", [None, "{", '"text"\n', b"\xff"])
    def test_a_file_that_cannot_be_read_is_named(self, workspace: Path, content: str | bytes | None) -> None:
        if content is not None:
            (workspace / "shots.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(PromptError, match=r"greet\.prompt\.md: examples: .*shots\.jsonl"):
            prompt(workspace, self.TEXT.format(examples="shots.jsonl"))


class TestFinding:
    def test_the_first_folder_in_the_search_order_wins(self, workspace: Path) -> None:
        user = Path(os.environ["XDG_CONFIG_HOME"]) / "agentkit" / "prompts"
        plugin, first = workspace / "plugin", workspace / "first"
        places = [first, workspace / "prompts", user, plugin]
        assert search_folders(workspace, [plugin], first) == [*places, packaged_folder("prompts")]
        for place in reversed(places):
            write(place, GREETING)
            assert Prompts(search_folders(workspace, [plugin], first)).get("greet").path.parent == place

    def test_a_project_can_replace_a_packaged_prompt(self, workspace: Path) -> None:
        assert Prompts(search_folders(workspace, [])).get("agent").path.parent == packaged_folder("prompts")
        write(workspace / "prompts", GREETING, "agent")
        assert Prompts(search_folders(workspace, [])).get("agent").header.description == "Greets"

    def test_one_that_is_not_there_names_the_nearest(self, workspace: Path) -> None:
        write(workspace / "prompts", GREETING)
        with pytest.raises(PromptError, match=r"no prompt 'gret'\. The nearest name is 'greet'"):
            Prompts([workspace / "prompts"]).get("gret")

    def test_the_packaged_prompts_are_in_order(self) -> None:
        packaged = Prompts([packaged_folder("prompts")])
        assert {"agent", "request"} <= set(packaged.paths)
        for name in packaged.paths:
            assert packaged.get(name).header.description
