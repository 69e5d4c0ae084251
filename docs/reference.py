"""Generate pages of the documentation: the sweep file from its schema, the commands from the command line,
the catalogue from its entries, and documents of the repository that have a page here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from orchestrator.cli.app import app
from orchestrator.config import load_catalogue, sweep_schema, task_schema
from orchestrator.config.recipes import RecipePatch
from orchestrator.contracts.recipe import Recipe

ROOT = Path(__file__).parents[1]
# Documents of the repository with their page here; links between them are kept, others become names.
_PAGES = {
    "configs/README.md": "reference/files.md",
    "orchestrator/report/METHODS.md": "reference/statistics.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages. Called by MkDocs."""
    pages = {
        "reference/sweep-file.md": schema_page("The sweep file", "frontier schema", sweep_schema()),
        "reference/task-file.md": schema_page("The task file", "frontier schema task", task_schema()),
        "reference/commands.md": commands_page(),
        "reference/catalogue.md": catalogue_page(),
        **{page: _adopted(document, page) for document, page in _PAGES.items()},
    }
    for page, content in pages.items():
        files.append(File.generated(config, page, content=content))
    return files


def schema_page(title: str, command: str, schema: dict[str, Any]) -> str:
    """Return a table of keys for a kind of file and for each record in it. Keys of a recipe have the defaults
    that a cell gets where no layer sets them."""
    defaults = {key: field.default for key, field in Recipe.model_fields.items() if not field.is_required()}
    lines = [f"# {title}", "", f"{schema['description']} Generated from `{command}`.", ""]
    definitions = schema["$defs"]
    lines += _keys(schema, definitions)
    for name, record in sorted(definitions.items()):
        if "properties" in record:
            keys = _keys(record, definitions, defaults if name == RecipePatch.__name__ else None)
            lines += ["", f"## {name}", "", record.get("description", ""), "", *keys]
    return "\n".join(lines) + "\n"


def _keys(
    record: dict[str, Any], definitions: dict[str, Any], defaults: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Yield a table. `defaults` are those of keys that have none in the schema."""
    required = set(record.get("required", ()))
    yield "| key | value | default | |"
    yield "|---|---|---|---|"
    for key, entry in record["properties"].items():
        default = "required" if key in required else _code((defaults or {}).get(key, entry.get("default")))
        yield f"| `{key}` | {_cell(_value(entry, definitions))} | {default} | {_cell(entry['description'])} |"


def _value(entry: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return the type of a value in words, with links to the records on this page."""
    if "$ref" in entry:
        name = entry["$ref"].rpartition("/")[2]
        record = definitions[name]
        return f"[{name}](#{name.lower()})" if "properties" in record else _value(record, definitions)
    if "anyOf" in entry or "oneOf" in entry:
        values = dict.fromkeys(_value(option, definitions) for option in _options(entry))
        return " or ".join(value for value in values if value != "null")
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    if entry.get("type") == "array":
        return f"list of {_value(entry.get('items', {}), definitions)}"
    if entry.get("type") == "object":
        return "mapping"
    return str(entry.get("type", "any"))


def _options(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the alternatives of a value, those inside alternatives included."""
    for option in (*entry.get("anyOf", ()), *entry.get("oneOf", ())):
        yield from _options(option) if "anyOf" in option or "oneOf" in option else (option,)


def _code(default: Any) -> str:
    """Return a default as YAML writes it; nothing for null and for what is longer than a cell."""
    if isinstance(default, list):
        return f"`{default}`" if default else ""
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return "" if default in (None, "") or isinstance(default, dict) else f"`{shown}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def commands_page() -> str:
    """Return the help of each command with its options."""
    root: Any = typer.main.get_command(app)
    lines = ["# The commands", "", "Generated from `frontier --help`.", ""]
    for name, command in root.commands.items():
        lines += _command(f"frontier {name}", command)
        for inner, sub in getattr(command, "commands", {}).items():
            lines += _command(f"frontier {name} {inner}", sub)
    return "\n".join(lines) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    if hasattr(command, "commands"):
        return
    text = re.sub(r"\s*\n\s*", "\n", (command.help or "").strip())
    text, _, example = text.partition("Example: ")
    arguments = (p.metavar or p.name.upper() for p in command.params if p.param_type_name == "argument")
    yield from (f"## {name}", "", text.strip(), "", f"    {' '.join([name, *arguments])}", "")
    if example:
        yield from ("For example:", "", *(f"    {line}" for line in example.splitlines()), "")
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    if options:
        yield from ("| option | default | |", "|---|---|---|")
        yield from (_option(option) for option in options)
        yield ""


def _option(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    shape = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    default = "" if option.is_flag or option.default in (None, ()) else _code(_plain(option.default))
    return f"| `{names}{shape}` | {default} | {_cell(option.help or '')} |"


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def catalogue_page() -> str:
    """Return what a sweep can name: backbones, methods, tasks."""
    catalogue = load_catalogue()
    lines = [
        "# The catalogue",
        "",
        "What a sweep can name. `frontier list models` also says what works offline on your machine.",
        "",
    ]
    lines += [
        "## Backbones",
        "",
        "| model | domain | entry | architecture | parameters | licence |",
        "|---|---|---|---|---|---|",
    ]
    for entry in sorted(catalogue.backbones.values(), key=lambda b: (b.model, b.domain)):
        parameters = "" if entry.parameters is None else f"{entry.parameters / 1e6:,.1f}M"
        cells = (f"`{entry.model}`", f"`{entry.domain}`", entry.name, entry.architecture, parameters)
        lines.append(f"| {' | '.join(cells)} | {_cell(entry.licence or '')} |")
    lines += ["", "## Methods", "", "| method | kind |", "|---|---|"]
    lines += [f"| `{name}` | {method.settings.kind} |" for name, method in sorted(catalogue.methods.items())]
    lines += ["", "## Tasks", "", "| task | kind | metric | what is predicted |", "|---|---|---|---|"]
    for name, task in sorted(catalogue.tasks.items()):
        spec = task.spec
        lines.append(f"| `{name}` | {spec.kind} | `{spec.metric}` | {_cell(spec.title)} |")
    return "\n".join(lines) + "\n"


def _adopted(document: str, page: str) -> str:
    """Return a document of the repository. Its links to pages become links between them, all others names."""
    path = ROOT / document

    def linked(match: re.Match[str]) -> str:
        text, target, anchor = match.group(1), match.group(2), match.group(3) or ""
        if not target or target.startswith(("http:", "https:")):
            return match.group(0)
        named = os.path.relpath((path.parent / target).resolve(), ROOT)
        there = _PAGES.get(named) or (named.removeprefix("docs/") if named.startswith("docs/") else None)
        if there is not None:
            return f"[{text}]({os.path.relpath(there, Path(page).parent)}{anchor})"
        return f"{text} (`{named}`)" if named not in text else text

    return _LINK.sub(linked, path.read_text(encoding="utf-8"))
