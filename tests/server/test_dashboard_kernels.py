"""The kernels of the dashboard: when one is ended that nobody uses any more."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from jupyter_server._tz import utcnow

from sfwidgets.dashboard import Kernels


def test_a_silent_kernel_is_ended_but_not_for_the_time_that_it_lay_preheated() -> None:
    async def scene() -> list[bool]:
        kernels = Kernels(cull_idle_timeout=60)
        there = []
        try:
            kernel = await kernels.start_kernel(kernel_name="python3")
            for _ in range(2):
                kernels._kernels[kernel].last_activity = utcnow() - timedelta(hours=1)
                kernels._kernels[kernel].execution_state = "idle"
                await kernels.cull_kernel_if_idle(kernel)
                there.append(kernel in kernels)
        finally:
            await kernels.shutdown_all(now=True)
        return there

    assert asyncio.run(scene()) == [True, False]
