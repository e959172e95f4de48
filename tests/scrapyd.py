"""A real Scrapyd daemon, configured as scrapy.cfg recommends."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import urlopen

from tests.conftest import ROOT, Scrapy
from tests.machines import Machine

PROJECT = "mplus_crawler"
_URL = "127.0.0.1:6800"


class Scrapyd:
    """A daemon in *folder*, on a machine of its own where there can be one."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.machine = Machine()
        self.folder = folder
        self.harvests = folder / "data"
        with self.machine.inside(socket.socket) as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        # The daemon's packages warn of each other; the crawls are tested for that elsewhere.
        self._environment = {
            **Scrapy(folder).environment,
            **environment,
            "PYTHONWARNINGS": "ignore",
        }
        # Else the egg is compiled anew by each job.
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        folder.mkdir()
        configuration = self._adapted((ROOT / "scrapy.cfg").read_text())
        (folder / "scrapyd.conf").write_text(f"{configuration}poll_interval = 0.3\n")
        self._log = (folder / "scrapyd.log").open("w")
        self._daemon = self._start([sys.executable, "-m", "scrapyd"], folder, self._log)
        while not self._responses():
            assert self._daemon.poll() is None, (folder / "scrapyd.log").read_text()
            time.sleep(0.2)

    def deploy(self, folder: Path) -> None:
        """``scrapyd-deploy`` in a copy of the project, *folder*."""
        for part in (PROJECT, "schemas"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, folder / part, ignore=ignored)
        for file in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / file, folder)
        self._deploy(folder)

    def deploy_egg(self, egg: Path, folder: Path) -> None:
        """``scrapyd-deploy --egg``, in the project's *folder*."""
        self._deploy(folder, "--egg", str(egg))

    def _deploy(self, folder: Path, *arguments: str) -> None:
        (folder / "scrapy.cfg").write_text(self._adapted((ROOT / "scrapy.cfg").read_text()))
        deploy = Path(sys.executable).with_name("scrapyd-deploy")
        process = self._start([str(deploy), *arguments], folder, subprocess.PIPE)
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
        assert '"status": "ok"' in out, out

    @property
    def egg(self) -> Path:
        """The egg that is deployed."""
        (egg,) = (self.folder / "eggs" / PROJECT).iterdir()
        return egg

    def schedule(self, spider: str, job: str, **given: str | list[str]) -> None:
        """Schedule *spider* as *job*; *given* are its arguments, ``setting`` among them."""
        form = {"project": PROJECT, "spider": spider, "jobid": job, **given}
        response = self.request("schedule", urlencode(form, doseq=True).encode())
        assert response["jobid"] == job, response

    def curl(self, line: str) -> str:
        """Schedule the job in *line* of the documentation; return its id."""
        words = shlex.split(line)
        pairs = [words[place + 1] for place, word in enumerate(words) if word == "-d"]
        form = urlencode([pair.partition("=")[::2] for pair in pairs])
        method = Path(urlsplit(words[1]).path).stem
        return str(self.request(method, form.encode())["jobid"])

    def running(self, job: str) -> int:
        """The process that runs *job*."""
        while True:
            for entry in self.request("listjobs")["running"]:
                if entry["id"] == job and entry["pid"]:
                    return int(entry["pid"])
            time.sleep(0.2)

    def finished(self, *jobs: str) -> dict[str, Any]:
        """The jobs' certificates, as soon as Scrapyd says that all have ended."""
        deadline = time.monotonic() + 120
        while {*jobs} - {entry["id"] for entry in self.request("listjobs")["finished"]}:
            assert time.monotonic() < deadline, self.request("listjobs")
            time.sleep(0.5)
        return {job: self.certificate(job) for job in jobs}

    def certificate(self, job: str) -> Any:
        """What *job* came to; ``None`` where nothing says so."""
        file = self.harvests / "jobs" / f"{quote(job, safe='')}.certificate.json"
        return json.loads(file.read_bytes()) if file.exists() else None

    def log(self, spider: str, job: str) -> str:
        """The log that Scrapyd keeps of *job*."""
        return (self.folder / "logs" / PROJECT / spider / f"{job}.log").read_text()

    def request(self, method: str, form: bytes | None = None) -> Any:
        """The response of Scrapyd's API."""
        url = f"http://127.0.0.1:{self._port}/{method}.json"

        def requested() -> Any:
            with urlopen(url, form) as response:
                return json.load(response)

        return self.machine.inside(requested)

    def stop(self) -> None:
        """End the daemon."""
        self._daemon.terminate()
        self._daemon.wait(20)
        self._log.close()

    def _start(self, words: list[str], folder: Path, out: Any) -> subprocess.Popen[str]:
        return self.machine.inside(
            lambda: subprocess.Popen(
                words,
                cwd=folder,
                env=self._environment | {"PATH": os.environ["PATH"]},
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )

    def _responses(self) -> bool:
        with self.machine.inside(socket.socket) as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _adapted(self, text: str) -> str:
        """*text* with the port that this daemon has."""
        return text.replace(_URL, f"127.0.0.1:{self._port}").replace(
            "http_port = 6800", f"http_port = {self._port}"
        )
