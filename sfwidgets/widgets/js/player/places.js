/** Sections, cue points and loops as lists of buttons: to jump to, to name, to keep. What the canvas shows, for everybody. */
import { clock } from "../lib/format.js";
import { h } from "../lib/dom.js";
import { icon } from "./icons.js";
import { sectionName } from "./musical.js";
import { sectionTokens } from "./palette.js";

/** @param {import("./view.js").View} view @returns {import("./view.js").Part} */
export function places(view) {
  const { session } = view;
  const sections = list("Sections");
  const cues = list("Cue points", h("button", { type: "button", title: "Add a cue point at the playhead (M)", onclick: () => addCue(view) }, icon("plus"), "Add at playhead"));
  const keep = h("button", { type: "button", onclick: keepLoop }, icon("plus"), "Keep this loop");
  const loops = list("Loops", keep);
  const element = h("div", { class: "sf-places" }, sections.element, cues.element, loops.element);

  /** @param {number} time */
  function jump(time) {
    session.seek(time);
    view.viewport.reveal(time);
  }

  function keepLoop() {
    const { mix } = session;
    if (!mix.loop) return;
    const loop = { ...mix.loop, label: mix.loop.label || `Loop ${mix.loops.length + 1}` };
    session.change((mix) => void mix.loops.push(loop));
  }

  function showSections() {
    const all = session.analysis?.sections ?? [];
    const tokens = sectionTokens(all);
    sections.show(all.map((section) => entry({
      name: sectionName(section), time: clock(section.start), token: tokens.get(section.label), go: () => jump(section.start),
    })), session.analysed ? "No sections are known." : "");
  }

  function showCues() {
    const all = session.cues;
    cues.show(all.map((cue, i) => entry({
      name: cue.label, time: clock(cue.time), go: () => jump(cue.time), what: "cue point",
      rename: (label) => void session.setCues(all.map((other, j) => (j === i ? { ...other, label } : other))),
      remove: () => void session.setCues(all.filter((_, j) => j !== i)),
    })), "None yet.");
  }

  function showLoops() {
    const { mix } = session;
    const all = mix.loops ?? [];
    const kept = mix.loop && all.some((loop) => loop.start === mix.loop?.start && loop.end === mix.loop.end);
    keep.disabled = !mix.loop || Boolean(kept);
    loops.show(all.map((loop, i) => entry({
      name: loop.label, time: `${clock(loop.start)}–${clock(loop.end)}`, what: "loop",
      pressed: mix.loop?.start === loop.start && mix.loop.end === loop.end,
      go: () => {
        session.setLoop(loop);
        jump(loop.start);
      },
      rename: (label) => session.change((mix) => void (mix.loops[i] = { ...loop, label })),
      remove: () => session.change((mix) => void mix.loops.splice(i, 1)),
    })), "Drag on the ruler to choose a loop.");
  }

  return {
    element,
    update(event) {
      if (event === "track" || event === "analysis") showSections();
      if (event === "track" || event === "cues") showCues();
      if (event === "track" || event === "mix") showLoops();
    },
  };
}

/** @param {import("./view.js").View} view */
export function addCue({ session }) {
  const time = Math.round(session.time * 1000) / 1000;
  const own = session.cues.filter((cue) => cue.type === "cue").length;
  void session.setCues([...session.cues, { time, label: `Cue ${own + 1}`, type: "cue" }]);
}

/** @param {string} title @param {HTMLElement} [action] */
function list(title, action) {
  const items = h("ul", { "aria-label": title });
  const empty = h("p", { class: "sf-soft sf-small" });
  const element = h("section", { class: "sf-place", "aria-label": title },
    h("div", { class: "sf-place-head" }, h("h3", {}, title), action), items, empty);
  /** @param {HTMLElement[]} entries @param {string} otherwise */
  function show(entries, otherwise) {
    const focused = items.contains(document.activeElement) ? [...items.querySelectorAll("button, input")].indexOf(/** @type {HTMLElement} */ (document.activeElement)) : -1;
    items.replaceChildren(...entries);
    items.hidden = !entries.length;
    empty.textContent = entries.length ? "" : otherwise;
    empty.hidden = Boolean(entries.length);
    if (focused >= 0) (/** @type {HTMLElement | undefined} */ ([...items.querySelectorAll("button")][focused]) ?? action)?.focus();
  }
  return { element, show };
}

/**
 * @param {{ name: string, time: string, go: () => void, what?: string, token?: string, pressed?: boolean,
 *   rename?: (label: string) => void, remove?: () => void }} options
 */
function entry({ name, time, go, what = "", token, pressed, rename, remove }) {
  const jump = h("button", {
    type: "button", class: "sf-jump", onclick: go, "aria-pressed": pressed === undefined ? null : String(pressed),
    style: token ? `--lane: var(--sf-${token})` : null,
  }, token && h("span", { class: "sf-swatch", "aria-hidden": "true" }), h("span", { class: "sf-jump-name" }, name), h("span", { class: "sf-numbers sf-small sf-jump-time" }, time));
  const item = h("li", {}, jump);
  if (rename) item.append(h("button", { type: "button", class: "sf-plain sf-square", "aria-label": `Rename ${what} ${name}`, title: "Rename", onclick: edit }, icon("pencil")));
  if (remove) item.append(h("button", { type: "button", class: "sf-plain sf-square", "aria-label": `Delete ${what} ${name}`, title: "Delete", onclick: remove }, icon("remove")));

  function edit() {
    let done = false;
    const input = h("input", { type: "text", value: name, maxlength: "200", "aria-label": `New name of ${what} ${name}` });
    /** @param {boolean} taken */
    const finish = (taken) => {
      if (done) return;
      done = true;
      const label = input.value.trim();
      input.replaceWith(jump);
      if (taken && label && label !== name) rename?.(label);
      else jump.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        finish(event.key === "Enter");
      }
    });
    input.addEventListener("blur", () => finish(true));
    jump.replaceWith(input);
    input.select();
    input.focus();
  }
  return item;
}
