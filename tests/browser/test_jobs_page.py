"""Jobs in a real JupyterLab: live while a cell keeps the kernel busy, and honest once the kernel is gone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from axe import serious
from playwright.sync_api import expect
from servers import Server, start_lab

from sfwidgets import Workbench

PATIENCE = 120_000
SHOW = """
import time
from sfwidgets import Workbench
from sfwidgets.widgets.jobs import JobProgress, JobQueue
wb = Workbench()
progress = JobProgress(wb.separate({track!r}, "embedded", analyze=True))
display(progress, JobQueue(wb))
"""
BELOW = """
from IPython.display import HTML
from sfwidgets import Workbench
from sfwidgets.widgets.jobs import JobQueue
wb = Workbench()
wb.analyze({track!r}).wait()
queue = JobQueue(wb)
display(HTML("<div style='height: 4000px'></div>"), queue)
"""
BUSY = """
while not (len(progress.jobs) == 2 and progress.jobs[1]["status"] == "completed"):
    time.sleep(0.05)
print("over", 6 * 7)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def server(shared_wb: Workbench, root: Path) -> Iterator[Server]:
    with start_lab(root, shared_wb.settings.library) as running:
        yield running


def _run(page: Any, server: Server, root: Path, name: str, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, root / name)
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.goto(server.address(f"lab/tree/{name}", reset=""))
    page.locator(".jp-Cell").first.wait_for(timeout=60_000)
    page.get_by_text("| Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def test_a_job_moves_is_cancelled_and_retried_while_a_cell_is_busy(
    page: Any, server: Server, root: Path, shared_wb: Workbench, song: Callable[..., Path]
) -> None:
    track = shared_wb.add(song(150, seed=301), title="Long Song")
    _run(page, server, root, "busy.ipynb", SHOW.format(track=track.id), BUSY)
    views = page.locator(".sf-jobs-view")
    job, queue = views.nth(0), views.nth(1)
    bar = job.get_by_role("progressbar").first
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]"), timeout=PATIENCE)
    job.get_by_role("button", name="Cancel Separation").click()
    expect(job.locator(".sf-job")).to_have_attribute("data-status", "cancelled", timeout=PATIENCE)
    expect(job.locator(".sf-job")).to_contain_text("Cancelled")
    assert page.get_by_text("over 42").count() == 0
    job.get_by_role("button", name="Retry Separation").click()
    expect(job.locator(".sf-job").nth(0)).to_contain_text("× real time", timeout=PATIENCE)
    expect(job.locator(".sf-job").nth(1)).to_have_attribute("data-status", "processing", timeout=PATIENCE)
    expect(page.get_by_text("over 42")).to_be_visible(timeout=PATIENCE)
    expect(job.locator("[data-status=completed]")).to_have_count(2)
    expect(queue.locator("[data-status=cancelled]").filter(has_text="Long Song")).to_have_count(1)
    expect(queue.locator(".sf-job").first).to_contain_text("Long Song")
    assert serious(page, ".sf-jobs-view") == []
    queue.get_by_role("button", name="Clear finished").click()
    expect(queue.locator(".sf-job")).to_have_count(0)
    expect(queue).to_contain_text("No jobs")


def test_jobs_are_told_of_where_nobody_looks(
    page: Any, server: Server, root: Path, shared_wb: Workbench, song: Callable[..., Path]
) -> None:
    track = shared_wb.add(song(2, seed=303), title="Below").id
    _run(page, server, root, "below.ipynb", BELOW.format(track=track))
    queue = page.locator(".sf-jobs-view")
    jobs = queue.locator(".sf-job").filter(has_text="Below")
    expect(jobs).to_have_count(1, timeout=PATIENCE)
    expect(queue).not_to_be_in_viewport()
    expect(queue.locator(".sf-empty")).to_be_hidden()


@pytest.mark.soak
def test_a_kernel_that_is_gone_is_told_with_a_way_on(
    page: Any, server: Server, root: Path, shared_wb: Workbench, song: Callable[..., Path]
) -> None:
    track = shared_wb.add(song(300, seed=302), title="Endless")
    page.clock.install()
    _run(page, server, root, "gone.ipynb", SHOW.format(track=track.id))
    job, queue = page.locator(".sf-jobs-view").nth(0), page.locator(".sf-jobs-view").nth(1)
    expect(job.locator(".sf-job")).to_have_attribute("data-status", "processing", timeout=PATIENCE)
    for kernel in server.kernels():
        kernel.kill()
    for _ in range(3):
        page.clock.fast_forward(16_000)
        page.wait_for_timeout(1500)
    expect(job.locator(".sf-notice")).to_contain_text("No answer from the notebook")
    expect(job.locator(".sf-notice")).to_contain_text("The job itself goes on.")
    expect(job.get_by_role("button", name="Ask again")).to_be_enabled()
    expect(queue.locator(".sf-notice")).to_contain_text("No answer from the notebook")
    shared_wb.jobs(track)[0].cancel()
