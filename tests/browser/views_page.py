"""A page with one widget in it and no Jupyter around: the widget's model on the page asks the real Python one directly.

What a notebook and a dashboard add is tested beside this, once for each; here everything else is quick.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from playwright.sync_api import Page

from sfwidgets.widgets.base import View

_EMPTY = """<!doctype html><html lang="en"><title>View</title><meta name="viewport" content="width=device-width">
<body style="margin: 0"><main></main>"""

_MODEL = """
window.viewOf = async (script, traits, theme) => {
  document.body.dataset.jpThemeLight = String(theme === "light");
  document.body.style.background = theme === "light" ? "#fff" : "#14171a";
  const heard = new Map();
  const tell = (event, ...given) => [...(heard.get(event) ?? [])].forEach((callback) => callback(...given));
  const model = {
    model_id: "under-test",
    get: (name) => traits[name],
    set: (name, value) => { traits[name] = value; },
    save_changes: () => window.askPython({ traits: { ...traits } }),
    on: (event, callback) => heard.set(event, [...(heard.get(event) ?? []), callback]),
    off: (event, callback) => heard.set(event, (heard.get(event) ?? []).filter((one) => one !== callback)),
    send: async (content, _callbacks, buffers) => {
      const out = (buffers ?? []).map((buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))));
      const answer = await window.askPython({ content, buffers: out });
      for (const [name, value] of Object.entries(answer.traits)) model.take(name, value);
      const found = answer.buffers.map((text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
      tell("msg:custom", answer.content, found);
    },
    take: (name, value) => {
      if (JSON.stringify(traits[name]) === JSON.stringify(value)) return;
      traits[name] = value;
      tell(`change:${name}`);
    },
  };
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  window.model = model;
  widget.initialize?.({ model });
  window.endView = widget.render({ model, el: document.querySelector("main") });
};
"""


def show(page: Page, view: View, *, theme: str = "light") -> None:
    """Show a view on an empty page."""
    answers: list[tuple[Any, list[bytes]]] = []
    view.send = lambda content, buffers=None: answers.append((content, list(buffers or [])))  # type: ignore[method-assign]

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        for name, value in asked.get("traits", {}).items():
            if value != getattr(view, name):
                setattr(view, name, value)
        if "content" not in asked:
            return {}
        view._answer(dict(asked["content"]), [memoryview(b64decode(text)) for text in asked["buffers"]])
        content, buffers = answers.pop()
        return {"content": content, "buffers": [b64encode(one).decode() for one in buffers], "traits": traits(view)}

    page.route("http://localhost/", lambda route: route.fulfill(body=_EMPTY, content_type="text/html"))
    page.expose_function("askPython", answer)
    page.goto("http://localhost/")
    page.add_style_tag(content=view._css)
    page.add_script_tag(content=_MODEL)
    page.evaluate("([script, traits, theme]) => viewOf(script, traits, theme)", [view._esm, traits(view), theme])


def tell(page: Page, view: View) -> None:
    """Bring the page the traits that have changed in Python meanwhile."""
    page.evaluate("traits => Object.entries(traits).forEach(([name, value]) => model.take(name, value))", traits(view))


def traits(view: View) -> dict[str, Any]:
    """Return what is in step with the page."""
    whose = ("_", "layout", "tab", "tooltip")  # ipywidgets' own
    return {name: value for name, value in view.get_state().items() if not name.startswith(whose)}
