"""Workers on other machines: the same jobs by DASK_SCHEDULER alone, and a sentence for whatever would not work."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import distributed.versions
import pytest
from services.cluster import Cluster, Member, until
from services.postgres import free_port
from simple_song import write_song

from sfwidgets import Workbench
from sfwidgets.errors import InvalidInputError, JobFailedError, UnavailableError
from sfwidgets.jobs import remote
from sfwidgets.jobs.cluster import DOWNLOAD, GPU, HEAVY, LIGHT, connect
from sfwidgets.jobs.worker import run_job
from sfwidgets.models import Track
from sfwidgets.settings import Settings

STAND_IN = str(Path(__file__).parent / "stand_in_work")


def settings_for(cluster: Cluster, library: Path, **others: object) -> Settings:
    files = {
        name: Path(cluster.environment[f"SOUNDFORGE_{name.upper()}"])
        for name in ("tls_ca", "tls_cert", "tls_key")
        if cluster.address.startswith("tls")
    }
    return Settings(library=library, dask_scheduler=cluster.address, **{**files, **others})  # type: ignore[arg-type]


class StandIn:
    """A cluster whose analyses only do what they are told, and somebody who asks for one; all else is real."""

    def __init__(self, folder: Path, *options: str, tls: bool = False) -> None:
        self.folder = folder / "stand-in"
        self.folder.mkdir()
        self.library = folder / "library"
        paths = f"{STAND_IN}:{os.environ.get('PYTHONPATH', '')}"
        environment = {
            "AUDIO_DATA_PATH": str(self.library), "PYTHONPATH": paths, "STAND_IN_FOLDER": str(self.folder),
        }  # fmt: skip
        self.cluster = Cluster(folder / "cluster", environment, workers=[options], tls=tls)
        self.settings = settings_for(self.cluster, self.library)
        self.wb = Workbench(settings=self.settings)
        self.track: Track = self.wb.add(write_song(folder / "song.wav", 1, seed=1))

    @property
    def worker(self) -> Member:
        return self.cluster.workers[0]

    def attempts(self) -> list[int]:
        """Return the numbers of the attempts that were begun."""
        file = self.folder / "attempts"
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def until_begun(self, attempts: int) -> None:
        until(lambda: len(self.attempts()) >= attempts, "the attempt did not begin", self.cluster.log)

    def close(self) -> None:
        self.wb.close()
        self.cluster.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A cluster over TLS with one plain worker, which each test leaves as it was."""
    made = StandIn(tmp_path_factory.mktemp("world"), tls=True)
    yield made
    made.close()


@pytest.fixture
def told(world: StandIn) -> Iterator[StandIn]:
    """The same, for a test that tells the analyses what to do."""
    yield world
    for file in world.folder.iterdir():
        file.unlink()


@pytest.fixture
def secure(world: StandIn) -> Cluster:
    return world.cluster


@pytest.fixture
def library(world: StandIn) -> Path:
    return world.library


@pytest.fixture
def mine(world: StandIn) -> Settings:
    return world.settings


class TestWork:
    def test_a_song_is_separated_over_tls_by_processes_of_the_cluster(
        self, secure: Cluster, mine: Settings, song: Callable[..., Path]
    ) -> None:
        with Workbench(settings=mine) as wb:
            track = wb.add(song(1))
            wb.separate(track, "embedded").wait(90)
            (stem_set,) = wb.stem_sets(track)
            assert len(stem_set.stems) == 4
        assert "processing" in secure.workers[0].log.read_text()
        assert not (mine.library / "run" / "cluster.json").exists(), "a cluster of the library's own was started"


class TestRefusals:
    """What a client, or a worker that would join, is told at once: otherwise its jobs would wait for ever."""

    def refused(self, settings: Settings) -> UnavailableError:
        with pytest.raises(UnavailableError) as caught:
            connect(settings)
        return caught.value

    @pytest.fixture(autouse=True)
    def quickly(self, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
        """Those that wait for an answer that never comes need not wait for long."""
        if "mine" not in request.fixturenames:
            monkeypatch.setattr(remote, "CONNECT_SECONDS", 2.0)

    def test_nobody_listens(self, library: Path) -> None:
        error = self.refused(Settings(library=library, dask_scheduler=f"tcp://127.0.0.1:{free_port()}"))
        assert error.code == "no_cluster"
        assert "soundforge scheduler" in error.message

    def test_somebody_listens_who_is_no_scheduler(self, library: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            error = self.refused(Settings(library=library, dask_scheduler=f"tcp://127.0.0.1:{deaf.getsockname()[1]}"))
        assert error.code == "no_cluster"

    def test_a_client_without_tls_is_not_let_in(self, secure: Cluster, library: Path) -> None:
        plain = secure.address.replace("tls", "tcp")
        assert self.refused(Settings(library=library, dask_scheduler=plain)).code == "no_cluster"

    def test_certificates_and_an_address_without_tls(self, mine: Settings) -> None:
        with pytest.raises(InvalidInputError, match="must begin with tls://"):
            connect(mine.model_copy(update={"dask_scheduler": "tcp://127.0.0.1:1"}))

    def test_a_separation_on_a_gpu_that_no_worker_has(self, world: StandIn) -> None:
        with pytest.raises(UnavailableError, match="No worker of the cluster has a GPU") as caught:
            world.wb.separate(world.track, "embedded", device="cuda")
        assert caught.value.code == "no_gpu"

    def test_a_client_with_a_certificate_of_its_own_making_is_not_let_in(
        self, secure: Cluster, library: Path, tmp_path: Path
    ) -> None:
        from services.cluster import certificates

        forged = certificates(tmp_path)
        named = {name.removeprefix("SOUNDFORGE_").lower(): Path(file) for name, file in forged.items()}
        assert self.refused(settings_for(secure, library, **named)).code == "no_cluster"

    @pytest.mark.parametrize(
        ("address", "says"),
        [
            ("http://host:8786", "tcp://host:8786"), ("tls://host:8786", "SOUNDFORGE_TLS_CA"),
            ("inproc://1", "tcp://host:8786"),
        ],
    )  # fmt: skip
    def test_an_address_that_is_none(self, library: Path, address: str, says: str) -> None:
        with pytest.raises(InvalidInputError, match=says):
            connect(Settings(library=library, dask_scheduler=address))

    def test_half_a_set_of_certificates(self, secure: Cluster, library: Path) -> None:
        with pytest.raises(InvalidInputError, match="SOUNDFORGE_TLS_KEY is not set"):
            connect(settings_for(secure, library, tls_key=None))

    def test_a_certificate_that_cannot_be_read(self, secure: Cluster, library: Path) -> None:
        with pytest.raises(InvalidInputError, match=r"SOUNDFORGE_TLS_CA=/nowhere/ca.pem can't be read"):
            connect(settings_for(secure, library, tls_ca=Path("/nowhere/ca.pem")))

    def test_another_release(self, mine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        real = distributed.versions._version_cached
        monkeypatch.setattr(
            distributed.versions, "_version_cached", lambda name: "0.0.1" if name == remote.PACKAGE else real(name)
        )
        error = self.refused(mine)
        assert error.code == "version_mismatch"
        assert "0.0.1" in error.message

    def test_another_database(self, secure: Cluster, tmp_path: Path) -> None:
        error = self.refused(settings_for(secure, tmp_path / "other"))
        assert error.code == "no_shared_database"
        assert "DATABASE_URL" in error.message

    def test_the_same_database_and_other_files(self, mine: Settings, secure: Cluster, tmp_path: Path) -> None:
        other = settings_for(secure, tmp_path / "other", database_url=mine.sqlalchemy_url)
        assert self.refused(other).code == "no_shared_store"

    def test_files_in_supabase_storage_on_one_side_only(self, mine: Settings, secure: Cluster) -> None:
        sight = remote.Sight(remote.machine_id(), "https://x.supabase.co soundforge", database=True, store=True)
        with pytest.raises(UnavailableError) as caught:
            remote._check_sight(sight, "the worker w", mine)
        assert caught.value.code == "no_shared_store"

    @pytest.mark.parametrize(("lacking", "command"), [(HEAVY, "--heavy"), (LIGHT, "--light"), (DOWNLOAD, "--light")])
    def test_no_worker_of_a_kind(self, lacking: str, command: str) -> None:
        worker = {"resources": {name: 1 for name in (HEAVY, LIGHT, DOWNLOAD) if name != lacking}}
        with pytest.raises(UnavailableError, match=f"'{lacking}'.*soundforge worker {command}"):
            remote._check_resources({"w": worker})

    def test_a_scheduler_that_would_give_up_on_jobs(self, mine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(remote.DASK_CONFIG, "distributed.scheduler.allowed-failures", 10**9)
        assert self.refused(mine).code == "wrong_scheduler"

    def test_sqlite_and_a_worker_on_another_machine(self, mine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote, "machine_id", lambda: "elsewhere")
        error = self.refused(mine)
        assert error.code == "no_shared_database"
        assert "PostgreSQL" in error.message

    def test_workers_that_must_not_join(self, secure: Cluster, tmp_path: Path) -> None:
        """Each ends by itself with status 1 and a sentence, before it takes any work."""
        other = str(tmp_path / "other")
        wrong = {
            "another database": (secure.add(environment={"AUDIO_DATA_PATH": other}), "has another database"),
            "another release": (
                secure.add(environment={"PRETEND_VERSION": "9.9.9"}),
                "This process has sound-forge-alchemy 9.9.9, but the scheduler",
            ),
            "no database": (
                secure.add(environment={"DATABASE_URL": f"postgresql+psycopg://a@127.0.0.1:{free_port()}/a"}), "database",
            ),
        }  # fmt: skip
        if shutil.which("unshare") and subprocess.run(["unshare", "-u", "true"], check=False).returncode == 0:
            another = ("unshare", "-u", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh")
            wrong["another machine"] = (secure.add(prefix=another), "can't share a SQLite file")
        members = [member for member, _ in wrong.values()]
        try:
            for name, (member, says) in wrong.items():
                assert member.wait() == 1, name
                assert says in member.log.read_text(), name
                assert "Traceback" not in member.log.read_text(), name
        finally:
            for member in members:
                member.kill()
                secure.workers.remove(member)
        with secure.client() as client:
            assert len(client.nthreads()) == 2


def test_a_task_that_kills_its_workers_is_an_error_and_no_loop(told: StandIn) -> None:
    (told.folder / "die").touch()
    with pytest.raises(JobFailedError, match="3 attempts: each time the worker died") as caught:
        told.wb.analyze(told.track).wait(90)
    assert caught.value.code == "worker_died"
    assert told.attempts() == [1, 2, 3]
    (told.folder / "die").unlink()
    assert told.wb.analyze(told.track).wait(90).status == "completed", "the workers are there for others"


def test_a_worker_that_is_told_to_end_gives_its_job_back_and_the_attempt_does_not_count(told: StandIn) -> None:
    hold = told.folder / "hold"
    hold.touch()
    job = told.wb.analyze(told.track)
    told.until_begun(1)
    assert told.worker.stop() == 0, told.worker.log.read_text()
    assert job.value.status == "queued"
    assert job.value.attempt == 0
    hold.unlink()
    told.worker.start()
    assert job.wait(90).value.attempt == 1


def test_a_scheduler_that_is_started_again_finds_its_workers_and_the_job_completes(told: StandIn) -> None:
    hold = told.folder / "hold"
    hold.touch()
    job = told.wb.analyze(told.track)
    told.until_begun(1)
    told.cluster.scheduler.kill()
    told.cluster.scheduler.start()
    told.until_begun(2)
    hold.unlink()
    assert job.wait(90).value.attempt == 1, "the worker gave the job back when it lost the scheduler"
    assert told.worker.popen.poll() is None


@pytest.fixture
def own(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """A cluster that a test may harm; its parameter is the worker's options."""
    made = StandIn(tmp_path, *getattr(request, "param", ()))
    yield made
    made.close()


@pytest.mark.soak
def test_a_job_goes_on_by_the_workers_alone_when_one_machine_is_lost(own: StandIn) -> None:
    hold = own.folder / "hold"
    hold.touch()
    job = own.wb.analyze(own.track)
    own.until_begun(1)
    own.wb.close()
    own.cluster.add()
    own.cluster.wait(4)
    own.worker.kill()
    own.until_begun(2)
    hold.unlink()
    with Workbench(settings=own.settings) as again:
        assert again.job(job.id).wait(90).value.attempt == 2


@pytest.mark.soak
@pytest.mark.parametrize("own", [("--memory", "1400MB")], indirect=True)
def test_a_worker_that_takes_too_much_memory_is_killed_and_the_job_says_so(own: StandIn) -> None:
    (own.folder / "eat").touch()
    with pytest.raises(JobFailedError, match="more memory than it may") as caught:
        own.wb.analyze(own.track).wait(120)
    assert caught.value.code == "out_of_memory"
    assert own.attempts() == [1, 2, 3]


@pytest.mark.soak
def test_a_worker_that_is_given_a_job_of_another_library_leaves_and_looks_anew(own: StandIn) -> None:
    with own.cluster.client() as client:
        before = set(client.nthreads())
        stray = client.submit(run_job, "0" * 32, "key", resources={LIGHT: 1}, pure=False)
        until(lambda: "different libraries" in own.worker.log.read_text())
        stray.release()  # whoever waited for its result would have it done again, by the workers that come
        until(lambda: len(client.nthreads()) == 2 and not before & set(client.nthreads()), explain=own.cluster.log)
    own.wb.analyze(own.track).wait(90)


@pytest.mark.soak
def test_each_gpu_has_a_worker_of_its_own_to_which_goes_what_wants_one(own: StandIn) -> None:
    own.cluster.add("--gpu", "--heavy", environment={"CUDA_VISIBLE_DEVICES": "0,1"})
    own.cluster.wait(4)
    with own.cluster.client() as client:
        offered = {at: worker["resources"] for at, worker in client.scheduler_info(n_workers=-1)["workers"].items()}
        gpus = [address for address, resources in offered.items() if GPU in resources]
        seen = client.run(lambda: (os.environ["CUDA_VISIBLE_DEVICES"], os.environ["SOUNDFORGE_DEVICE"]), workers=gpus)
        assert sorted(seen.values()) == [("0", "cuda"), ("1", "cuda")]
        assert all(offered[address] == {HEAVY: 1, GPU: 1} for address in gpus)
    with pytest.raises(JobFailedError, match="GPU"):  # which this machine has none of
        own.wb.separate(own.track, "embedded", device="cuda").wait(90)
    log = own.cluster.workers[1].log.read_text()
    assert "processing" in log
    assert "processing" not in own.worker.log.read_text()


@pytest.mark.soak
@pytest.mark.parametrize("own", [("--light",)], indirect=True)
def test_a_cluster_that_lacks_a_kind_of_worker_and_a_scheduler_that_is_not_ours(own: StandIn) -> None:
    with pytest.raises(UnavailableError, match=r"'separation'.*soundforge worker --heavy") as caught:
        connect(own.settings)
    assert caught.value.code == "no_worker"
    port = free_port()
    plain = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
         "--no-dashboard"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=own.folder,
    )  # fmt: skip
    try:
        with pytest.raises(UnavailableError) as refused:
            connect(own.settings.model_copy(update={"dask_scheduler": f"tcp://127.0.0.1:{port}"}))
        assert refused.value.code == "wrong_scheduler"
    finally:
        plain.kill()
        plain.wait()
