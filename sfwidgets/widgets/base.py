"""What every widget has in common: its bundle, the answers to its page, and the picture that a notebook keeps."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import anywidget
import ipywidgets
from traitlets import Unicode

from sfwidgets.bundles import bundle
from sfwidgets.errors import SoundForgeError, UnavailableError

log = logging.getLogger(__name__)

_ANSWERING = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sfwidgets-answer")
"""Questions are answered here, so that a cell and an answer never wait for one another."""

Answer = Any
"""JSON-ready, or a pair of that and a list of buffers."""


class View(anywidget.AnyWidget):  # type: ignore[misc]
    """A widget whose page asks questions.

    A question `name` is answered by the method `answer_<name>(**arguments, buffers=…)`, on a thread: it returns JSON-ready
    data, or a pair of that and a list of bytes. A `SoundForgeError` reaches the page as its sentence; any other exception
    is logged whole and told in general words. A subclass names its bundle: `BUNDLE = "player"`.
    """

    BUNDLE: ClassVar[str]

    fault = Unicode("").tag(sync=True)
    """A sentence for the person who looks at the widget, where something went wrong outside of an answer."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Find the bundle of a widget."""
        if "BUNDLE" in cls.__dict__:
            cls._esm, cls._css = bundle(cls.BUNDLE)
        super().__init_subclass__(**kwargs)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(self._on_question)

    def open(self) -> None:
        """Connect to the page, so that its questions are heard while a cell keeps the kernel busy.

        The page sends them to a subshell. ipykernel sends them on to where the widget last spoke from, which is the cell.
        """
        super().open()
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = _as_the_page_asked

    def __del__(self) -> None:
        if self.comm is not None:  # else it was never made whole: its arguments were refused
            super().__del__()

    def still(self) -> str:
        """Return HTML that stands for the widget where no kernel runs: in a saved notebook, in a converted one."""
        return ""

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if in_kernel() and not in_dashboard():
            still = self.still()
            if still:
                from IPython.display import HTML, display

                html = f'<div class="sf-still">{_WITHOUT_KERNEL}{still}</div>'
                display(HTML(html))  # type: ignore[no-untyped-call]
        return super()._repr_mimebundle_(**kwargs)

    def _on_question(self, _widget: ipywidgets.Widget, content: Any, buffers: list[memoryview]) -> None:
        if isinstance(content, dict) and "ask" in content:
            _ANSWERING.submit(self._answer, dict(content), buffers)

    def _answer(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        head = {"id": content.pop("id", None), "page": content.pop("page", None)}
        name = content.pop("ask")
        try:
            method = getattr(self, f"answer_{name}", None)
            if method is None:
                raise UnavailableError(f"This version can't answer {str(name)[:40]!r}. Reload the page.")
            value = method(**content, **({"buffers": buffers} if buffers else {}))
            value, out = value if isinstance(value, tuple) else (value, [])
            self.send({**head, "value": value}, out)
        except SoundForgeError as error:
            self.send({**head, "error": error.to_dict()})
        except Exception:
            log.exception("The answer to %r failed.", name)
            told = "Something went wrong inside Sound Forge; its log says what. Try again."
            self.send({**head, "error": {"error": told, "code": "internal"}})


def _as_the_page_asked(_data: Any, subshell: str | None) -> str | None:
    return subshell


def in_kernel() -> bool:
    """Return whether a notebook's page is there to show widgets, and not a terminal or a script."""
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def in_dashboard() -> bool:
    """Return whether this kernel runs behind a page of Voilà's."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila")


_WITHOUT_KERNEL = (
    "<style>.jp-OutputArea-child:has(.sf-still)"
    " ~ .jp-OutputArea-child:has(.jp-RenderedText, .jupyter-widgets):not(:has(.sf)) { display: none }</style>"
)
"""Where the widget can't live, its place ("model not found") is hidden, and the still picture is seen alone."""
