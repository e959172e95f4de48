"""docs/scheduling.md and docs/scaling.md: the examples do what the pages say."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scrapy.settings import Settings

from mplus_crawler.cli.jobs import Job
from mplus_crawler.errors import ExitCode
from mplus_crawler.settings import BOT_NAME
from tests.conftest import ROOT
from tests.test_readme import BLOCKS

pytestmark = pytest.mark.long

SCHEDULING = [block for block in BLOCKS if block.page == "docs/scheduling.md"]
(SCRIPT,) = [block.text for block in SCHEDULING if "harvest.sh <<" in block.text]
UNITS = {
    Path(block.text.splitlines()[0]).name: block.text
    for block in SCHEDULING
    if block.language == "ini"
}
# What `scrapy` does in the tests: it writes down how it was called, and exits as it is told to.
_SCRAPY = """#!/bin/sh
echo "$HARVEST_DIR: $*" >>"$HOME/calls"
code=$(sed -n "$(wc -l <"$HOME/calls")p" "$HOME/codes")
echo "it ends with $code"
exit "$code"
"""

Stage = Callable[[str, str], tuple[int, str, list[str]]]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Runs a script where Scrapy's runs end with the codes given: exit code, output, runs."""
    for name, text in {"scrapy": _SCRAPY, "sleep": "#!/bin/sh\n"}.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()

    def run(script: str, codes: str) -> tuple[int, str, list[str]]:
        (tmp_path / "codes").write_text("\n".join(codes.split()))
        (tmp_path / "calls").unlink(missing_ok=True)
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, (tmp_path / "calls").read_text().splitlines()

    return run


def test_the_script_resumes_after_11_and_ends_with_any_other_code(stage: Stage) -> None:
    assert stage(SCRIPT, "11 11 0") == (
        0,
        "it ends with 11\nit ends with 11\nit ends with 0\n",
        [": crawl exhibitions"] * 3,
    )
    assert stage(SCRIPT, "10")[0] == 10
    code, _, calls = stage(SCRIPT, "11 " * 100)
    assert (code, len(calls)) == (11, 48)


def test_the_crontab_runs_the_script_and_tells_of_failures_only(stage: Stage) -> None:
    (crontab,) = [block.text for block in SCHEDULING if "harvest.sh harvest dmg" in block.text]
    *variables, line = crontab.splitlines()
    *when, command = line.split(maxsplit=5)
    assert all(re.fullmatch(r"\*|\d+", field) for field in when)
    assert "%" not in command  # cron ends the command there
    stage(SCRIPT, "0")
    here = f"export {' '.join(variables)}; {command}".replace("/srv/mplus_crawler/", "./")
    here = here.replace("/srv/harvests/", "./")
    assert stage(here, "0") == (0, "", ["./gent: harvest dmg"])
    assert stage(here, "13")[1].endswith("it ends with 13\n")


def test_the_units_are_units(tmp_path: Path) -> None:
    assert [*UNITS] == ["harvest@.service", "harvest@.timer"]
    for name, text in UNITS.items():
        unit = configparser.ConfigParser(interpolation=None)
        unit.read_string(text)
        assert unit["Unit"]["Description"]
        here = text.replace("/srv/mplus_crawler/.venv/bin/scrapy", sys.executable)
        here = here.replace("User=harvest", f"User={os.getuid()}")
        (tmp_path / name.replace("@", "@dmg")).write_text(here.replace("/srv/mplus_crawler", "/"))
    stays_down = re.findall(
        r"^RestartPreventExitStatus=(.*)$", UNITS["harvest@.service"], re.MULTILINE
    )
    assert stays_down == ["1 2 12 13 15"]
    if analyze := shutil.which("systemd-analyze"):
        done = subprocess.run(
            [analyze, "verify", "--man=no", *map(str, tmp_path.iterdir())],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_workflow_resumes_after_11(stage: Stage) -> None:
    (text,) = [block.text for block in SCHEDULING if block.text.startswith("# .github")]
    workflow = yaml.safe_load(text)
    steps = workflow["jobs"]["dmg"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("name") == "Harvest"]
    code, out, calls = stage(script, "11 0")
    assert (code, len(calls), out.count("::warning::")) == (0, 2, 1)
    assert stage(script, "12")[0] == 12
    assert stage(script, "11 " * 8)[0] == 11
    kept = [step for step in steps if step.get("if") == "always()"]
    assert [step["with"]["path"] for step in kept] == ["data", "data"]


def test_orchestrators_retry_what_can_be_resumed() -> None:
    (job,) = [yaml.safe_load(b.text) for b in SCHEDULING if b.text.startswith("# harvest-job")]
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    (dag,) = [block.text for block in SCHEDULING if block.language == "python"]
    (retried,) = re.findall(r"if code in \((.*)\):", dag)
    resumed = {int(code) for code in retried.split(",")}
    assert resumed == {10, 11, 14}
    assert {*rule["onExitCodes"]["values"]} == {*map(int, ExitCode)} - resumed - {0}


@pytest.mark.parametrize(("code", "raised"), [(0, ""), (11, "retry"), (15, "fail"), (2, "fail")])
def test_the_airflow_task_reads_the_exit_code(tmp_path: Path, code: int, raised: str) -> None:
    """Airflow itself is not installed: a stand-in has the four names that the file imports."""
    (dag,) = [block.text for block in SCHEDULING if block.language == "python"]
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "__init__.py").touch()
    (tmp_path / "airflow" / "decorators.py").write_text(
        "task = lambda **given: lambda function: function\ndag = lambda **given: lambda f: int\n"
    )
    (tmp_path / "airflow" / "exceptions.py").write_text(
        "class AirflowException(Exception): ...\nclass AirflowFailException(Exception): ...\n"
    )
    (tmp_path / "mplus-crawler").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "mplus-crawler").chmod(0o755)
    (tmp_path / "objects.certificate.json").write_text(
        '{"verdict": "complete", "unique": 5, "content_digest": "0f", "run": "1"}'
    )
    here = dag.replace("/srv/harvests/gent", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", f"{here}\nprint(harvest('objects'))"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    words = {"": "'unique': 5", "retry": "AirflowException:", "fail": "AirflowFailException:"}
    assert words[raised] in done.stdout + done.stderr


def test_the_targets_are_this_project() -> None:
    (text,) = [b.text for b in BLOCKS if b.page == "docs/scaling.md" and b.language == "ini"]
    targets = configparser.ConfigParser()
    targets.read([ROOT / "scrapy.cfg"])
    targets.read_string(text)
    deploys = [targets[name] for name in targets.sections() if name.startswith("deploy")]
    assert [target["project"] for target in deploys] == [BOT_NAME] * 3


@given(st.text(min_size=1, max_size=300), st.text(min_size=1))
def test_a_job_has_a_file_of_its_own_whatever_its_id(one: str, other: str) -> None:
    files = [Job(name, "objects", Settings()).file for name in (one, other)]
    assert (files[0] == files[1]) is (one == other)
    for file in files:
        assert re.fullmatch(r"jobs/[\w.~%-]{1,230}", file, re.ASCII)
