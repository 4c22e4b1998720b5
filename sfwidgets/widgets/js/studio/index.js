import "./style.css";
import { Channel } from "../lib/channel.js";
import { followTheme, h } from "../lib/dom.js";
import { Slot } from "./slot.js";
import { Tabs } from "./tabs.js";

/** @param {{ model: import("../lib/channel.js").Model, el: HTMLElement, host: import("./slot.js").Host }} given */
function render({ model, el, host }) {
  const channel = new Channel(model);
  const slots = Object.fromEntries(["importing", "library", "jobs", "job", "player", "analysis", "compare"].map((name) =>
    [name, new Slot(name, host)]));
  const fault = h("p", { class: "sf-fault", role: "alert", hidden: true });

  /** @param {string} name @param {Record<string, any>} [given] */
  const ask = async (name, given) => {
    fault.hidden = true;
    try {
      return (await channel.ask(name, given)).value;
    } catch (error) {
      fault.textContent = /** @type {Error} */ (error).message;
      fault.hidden = false;
    }
  };

  const title = h("h2", { class: "sf-unseen", tabindex: "-1" });
  const models = h("select", { "aria-label": "Model to separate with" }, h("option", { value: "auto" }, "Automatic model"));
  const separate = h("button", { class: "sf-primary", onclick: () => ask("separate", { model: models.value }) });
  const analyze = h("button", { onclick: () => ask("analyze") }, "Analyse");
  const close = h("button", { "aria-label": "Close this track", title: "Close this track", onclick: () => ask("close_track") }, "✕");
  const tabs = new Tabs("What is known of the track", {
    analysis: { label: "Analysis", panel: slots.analysis.element },
    compare: { label: "Compare", panel: slots.compare.element },
  }, (view) => { if (model.get("track")) ask("show", { view }); });
  const opened = h("div", { class: "sf-studio-main" },
    h("div", { class: "sf-row sf-studio-track" }, title, models, separate, analyze, close),
    slots.job.element, slots.player.element, tabs.element);
  const welcome = h("div", { class: "sf-studio-welcome" },
    h("h2", { class: "sf-studio-heading" }, "Take a song apart"),
    h("div", { class: "sf-soft" }, "Voice, drums, bass and the rest, each on a track of its own; and what tempo, key, chords and form the song has."),
    h("ol", {}, h("li", {}, "Drop an audio file under “Add music”, or open a track of the library."), h("li", {}, "Press “Split”, and watch it being taken apart."),
      h("li", {}, "Play it: mute the voice, loop two bars, slow it down, save what you hear.")));
  const main = h("section", { class: "sf-studio-main", "aria-label": "The open track" }, fault, welcome, opened);
  const root = h("div", { class: "sf sf-studio" },
    h("header", {}, h("span", { class: "sf-studio-name" }, "Sound Forge Alchemy"), h("span", { class: "sf-soft" }, `Library: ${model.get("library")}`)),
    h("div", { class: "sf-studio-columns" },
      h("div", { class: "sf-studio-side" },
        h("section", { "aria-label": "Add music" }, h("h2", { class: "sf-studio-heading" }, "Add music"), slots.importing.element),
        h("section", { "aria-label": "Library" }, h("h2", { class: "sf-studio-heading" }, "Library"), slots.library.element),
        h("section", { "aria-label": "Jobs" }, h("h2", { class: "sf-studio-heading" }, "Jobs"), slots.jobs.element)),
      main));

  const showParts = () => {
    const parts = model.get("parts") ?? {};
    for (const [name, slot] of Object.entries(slots)) slot.show(parts[name]);
  };
  let shown = "";
  /** On a dashboard the address keeps which track is open; a notebook's address is JupyterLab's. */
  const ownAddress = document.querySelector(".jp-LabShell") === null;
  const showTrack = () => {
    const track = model.get("track");
    const chosenHere = root.querySelector(".sf-studio-side")?.contains(document.activeElement) ?? false;
    if (ownAddress) history.replaceState(null, "", track ? `#track=${track.id}` : "#");
    welcome.hidden = Boolean(track);
    opened.hidden = !track;
    root.classList.toggle("sf-open", Boolean(track));
    if (track) {
      title.textContent = track.title;
      separate.textContent = track.hasStems ? "Separate again" : "Separate";
      separate.classList.toggle("sf-primary", !track.hasStems);
      analyze.hidden = track.hasAnalysis;
      if (track.id !== shown) tabs.open("analysis");
      if (track.id !== shown && chosenHere) goTo(opened);
    }
    shown = track?.id ?? "";
  };
  /** Bring the player into view and the keys to it, after a person has opened a track. @param {HTMLElement} place */
  const goTo = (place) => {
    title.focus({ preventScroll: true });
    place.scrollIntoView({ block: "nearest" });
    if (matchMedia("(max-width: 900px)").matches) place.scrollIntoView({ block: "start" });
    const late = setTimeout(() => watch.disconnect(), 10_000);
    const take = () => {
      const playhead = /** @type {HTMLElement | null} */ (slots.player.element.querySelector("[aria-label=Playhead]"));
      if (!playhead) return;
      clearTimeout(late);
      watch.disconnect();
      if (document.activeElement === title) playhead.focus({ preventScroll: true });
    };
    const watch = new MutationObserver(take);
    watch.observe(slots.player.element, { childList: true, subtree: true });
    take();
  };
  const fillModels = async () => {
    const known = await ask("models");
    for (const { id, installed, preview } of known ?? []) {
      const note = preview ? " (preview)" : installed ? "" : " (will be fetched)";
      models.append(h("option", { value: id }, id + note));
    }
  };

  el.append(root);
  const unfollow = followTheme(root);
  model.on("change:parts", showParts);
  model.on("change:track", showTrack);
  const before = ownAddress ? new URLSearchParams(location.hash.slice(1)).get("track") : null;
  showParts();
  showTrack();
  fillModels();
  if (before && !model.get("track")) ask("load", { track: before });
  return () => {
    unfollow();
    model.off("change:parts", showParts);
    model.off("change:track", showTrack);
    for (const slot of Object.values(slots)) slot.clear();
    channel.close();
  };
}

export default { render };
