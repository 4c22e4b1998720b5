"""A machine that would join a cluster looks at its own side first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from sfwidgets import Workbench
from sfwidgets.errors import UnavailableError
from sfwidgets.jobs.joining import Offer, run_worker


def test_a_worker_whose_folder_is_not_the_librarys_is_refused_before_it_takes_a_job(
    wb: Workbench, song: Callable[..., Path], tmp_path: Path
) -> None:
    wb.add(song(1))
    unmounted = wb.settings.model_copy(
        update={
            "library": tmp_path / "unmounted", "database_url": SecretStr(wb.settings.sqlalchemy_url),
            "dask_scheduler": "tcp://127.0.0.1:1",
        }
    )  # fmt: skip
    with pytest.raises(UnavailableError, match="has none of the songs") as caught:
        run_worker(unmounted, Offer())
    assert caught.value.code == "no_shared_store"
