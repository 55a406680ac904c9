"""Files for a forge and an index: workflows call make targets that exist, versions agree, a release is checked."""

from __future__ import annotations

import doctest
import re
import tomllib
from typing import Any

import pytest
import yaml

import tql_frames
from tests.pages import ROOT
from tools import release

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def steps_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_make_alone_with_least_permissions(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets" not in text and not any("permissions" in job for job in workflow["jobs"].values())
    for step in steps_of(workflow):
        if "run" in step:
            command, *targets = step["run"].split()
            assert command == "make" and targets and set(targets) <= TARGETS, step
        else:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]), step


def test_the_workflow_tests_every_python_and_runs_what_ci_runs() -> None:
    workflow = yaml.safe_load(text_of(".github/workflows/ci.yml"))
    classified = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == classified
    ran = {target for step in steps_of(workflow) for target in step.get("run", "").split()[1:]}
    assert {"test", "oldest", "check", "docs", "wheel", "torch", "engines", "interop"} <= ran


def test_badges_say_what_is_so() -> None:
    readme = text_of("README.md")
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    shown = re.findall(r"!\[([^\]]*)\]\(https://img\.shields\.io/badge/([^)]*)\)", readme)
    python, licence = f"{versions[0]} to {versions[-1]}", PROJECT["project"]["license"]
    assert shown == [
        (f"Python {python}", f"Python-{python.replace(' ', '_')}-blue"),
        (f"Licence: {licence}", f"licence-{licence}-blue"),
    ]
    states = re.findall(r"actions/workflows/([^/)]*)", readme)  # what the forge says of the last run
    assert states and {ROOT / ".github" / "workflows" / name for name in states} <= set(WORKFLOWS)


def test_commands_of_ci_and_of_contributing_exist() -> None:
    for name in (".ci/run", "CONTRIBUTING.md", "README.md"):
        named = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", text_of(name), re.MULTILINE))
        assert {target for pair in named for target in pair if target} <= TARGETS, name
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony and set(phony[1].split()) == TARGETS


def test_the_oldest_versions_are_those_that_are_required() -> None:
    line = re.search(r"^OLDEST = (.*)$", MAKEFILE, re.MULTILINE)
    required = [each.split(">=") for each in PROJECT["project"]["dependencies"] if ">=" in each]
    oldest = dict(each.split("==") for each in (line[1] if line else "").split())
    assert set(oldest) == {name for name, _ in required}
    for name, version in required:
        assert re.fullmatch(re.escape(version) + r"(\.0)*", oldest[name]), name


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_forms_are_yaml(path: Any) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert all(link["url"].startswith("https://") for link in form["contact_links"])
    else:
        ids = [each["id"] for each in form["body"]]
        assert form["name"] and form["description"] and len(ids) == len(set(ids))


def test_hooks_run_tools_of_the_project_or_a_fixed_version() -> None:
    config = yaml.safe_load(text_of(".pre-commit-config.yaml"))
    for hook in (hook for repo in config["repos"] for hook in repo["hooks"]):
        fixed = all("==" in each for each in hook.get("additional_dependencies", ["none"]))
        assert fixed if hook["language"] == "python" else hook["entry"].startswith(".venv/bin/"), hook["id"]


# --- versions --------------------------------------------------------------------------------------------------------


def test_changelog_and_citation_name_the_version_of_the_package() -> None:
    assert release.newest(text_of("CHANGELOG.md"))[0] == tql_frames.__version__
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert citation["version"] == tql_frames.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation["repository-code"] == PROJECT["project"]["urls"]["Source"]


READY = {"version": "0.2.0", "changelog": "## 0.2.0 - 2026-12-01\n", "citation": "version: 0.2.0\n"}
READY |= {"changed": "", "tags": "v0.1.0\n"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"changelog": "## 0.2.0 - unreleased\n"}, ["CHANGELOG.md: expected the date of 0.2.0, got 'unreleased'"]),
        ({"changelog": "## 0.1.0 - 2026-11-26\n"}, ["CHANGELOG.md: expected version 0.2.0 first, got 0.1.0"]),
        ({"changelog": "# Changelog\n"}, ["CHANGELOG.md: expected version 0.2.0 first, got none"]),
        ({"citation": "version: 0.2.0rc1\n"}, ["CITATION.cff: expected version: 0.2.0"]),
        ({"changed": " M README.md\n"}, ["uncommitted files:\n M README.md"]),
        ({"tags": "v0.1.0\nv0.2.0\n"}, ["tag v0.2.0 exists"]),
        ({"changed": "?? x\n", "tags": "v0.2.0\n"}, ["uncommitted files:\n?? x", "tag v0.2.0 exists"]),
    ],
)
def test_a_release_names_what_is_missing(change: dict[str, str], found: list[str]) -> None:
    problems = release.problems(**READY | change)
    assert len(problems) == len(found)
    assert all(problem.startswith(start) for problem, start in zip(problems, found, strict=True))


def test_examples_show_what_they_say() -> None:
    assert doctest.testmod(release).failed == 0
