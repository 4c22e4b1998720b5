/* Of the page itself: its theme, when what waits gives way to the widgets, and a word when the kernel is lost. */
(() => {
  const POLL = 5000;
  const SLOW = 30000;
  const LOST = "Your session has ended: it was unused for a while, or its process stopped. Jobs go on; reload the page to carry on.";
  const AWAY = "There is no connection to Sound Forge at the moment. It is tried again by itself; reload the page if this stays.";
  const BROKEN = "Sound Forge could not make this page ready. Reload it; if that does not help, whoever runs it finds the reason in its log.";
  const LATE = "This takes longer than it should. You can wait, or reload the page.";

  const asked = new URLSearchParams(location.search).get("theme");
  if (asked === "dark" || asked === "light") {
    document.documentElement.dataset.theme = asked;
    document.body.dataset.jpThemeLight = String(asked === "light");
  }

  const base = document.body.dataset.baseUrl;
  const find = (id) => document.getElementById(id);
  let kernel = "";
  let connected = false;
  let absences = 0;
  let said = "";
  let ready = false;

  function say(sentence) {
    if (sentence === said) return;
    said = sentence;
    const box = find("page-lost");
    box.hidden = !sentence;
    box.querySelector("p").textContent = sentence;
  }

  const DRAWN = ".jupyter-widgets, .sf, .jp-OutputArea-output, .jp-RenderedMarkdown, .page-fault";
  const AWAITED = 'script[type="application/vnd.voila.cell-output+json"]';

  function settle() {
    const cells = find("rendered_cells");
    if (!cells || !find("main")?.contains(cells)) return;  // Voilà moves the cells into a shell of its own
    if (!cells.querySelector(DRAWN) && cells.querySelector(AWAITED)) return;
    drawing.disconnect();
    ready = true;
    find("page-word").remove();
    document.querySelector("main").remove();
    find("main").setAttribute("role", "main");
    if (said === LATE) say("");
    setTimeout(() => find("rendered_cells").querySelector(DRAWN) || said || say(BROKEN), POLL);
  }
  const drawing = new MutationObserver(settle);

  async function look() {
    let answer;
    try {
      answer = await fetch(`${base}../api/kernels/${kernel}`, { cache: "no-store" });
    } catch {
      say(AWAY);
      return;
    }
    const model = answer.ok ? await answer.json() : null;
    if (answer.status === 404 || (model && ["dead", "restarting", "autorestarting"].includes(model.execution_state))) {
      say(LOST);
      clearInterval(watching);
      return;
    }
    if (!model) return;
    connected ||= model.connections > 0;
    absences = connected && model.connections === 0 ? absences + 1 : 0;
    if (absences > 1) say(AWAY);
    else if (said === AWAY) say("");
  }

  let watching = 0;
  function watch() {
    const config = find("jupyter-config-data");
    kernel = config ? JSON.parse(config.textContent).kernelId : "";
    if (!kernel) {
      say(BROKEN);
      return;
    }
    watching = setInterval(look, POLL);
    for (const event of ["online", "offline", "focus", "pageshow"]) addEventListener(event, look);
  }

  // Who leaves needs the kernel no more; where this word is lost, the server ends it after a while.
  addEventListener("pagehide", (event) => {
    const token = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1];
    if (event.persisted || !kernel || !token) return;
    const word = new FormData();
    word.append("_xsrf", decodeURIComponent(token));
    navigator.sendBeacon(`${base}api/shutdown/${kernel}`, word);
  });

  // Voilà's own script and template call these.
  window.voila_process = () => {};
  window.voila_heartbeat = () => {};
  window.voila_finish = () => {
    if (ready) return;
    find("rendered_cells").hidden = false;
    drawing.observe(document.body, { childList: true, subtree: true });
    settle();
  };

  addEventListener("DOMContentLoaded", () => {
    find("page-lost").querySelector("button").addEventListener("click", () => location.reload());
    watch();
    setTimeout(() => ready || said || say(LATE), SLOW);
  });
})();
