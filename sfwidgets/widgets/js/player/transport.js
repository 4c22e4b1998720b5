/** The buttons that play, loop, compare and tune, and the time. */
import { clock } from "../lib/format.js";
import { h } from "../lib/dom.js";
import { icon } from "./icons.js";
import { meter } from "./meter.js";
import { decibels } from "./mix.js";
import { barAt, countUntil } from "./musical.js";
import { slider } from "./slider.js";

/** @param {import("./view.js").View} view @param {{ openExport: (() => void) | null, openKeys: () => void }} dialogs @returns {import("./view.js").Part} */
export function transport(view, { openExport, openKeys }) {
  const { session } = view;
  const play = h("button", { class: "sf-play sf-primary", type: "button", onclick: () => session.toggle() });
  const start = h("button", {
    type: "button", class: "sf-square", "aria-label": "To the start", title: "To the start (Home)", onclick: () => session.seek(0),
  }, icon("start"));
  const now = h("span", { class: "sf-now" });
  const bar = h("span", { class: "sf-bar sf-soft" });
  const length = h("span", { class: "sf-soft" });
  const time = h("div", { class: "sf-time sf-numbers", role: "timer", "aria-live": "off", "aria-label": "Time" }, now, length, bar);
  const loop = h("button", { type: "button", title: "Loop on or off (L)", onclick: () => session.toggleLoop() }, icon("loop"), "Loop");
  const snap = h("select", {
    class: "sf-snap", "aria-label": "Loops snap to",
    onchange: () => session.setSnap(/** @type {import("./musical.js").Snap} */ (snap.value)),
  }, ...[["off", "No snap"], ["beat", "To beats"], ["bar", "To bars"]].map(([value, text]) => h("option", { value }, text)));
  const stems = h("button", { type: "button", title: "The stems, as they are mixed (A)", onclick: () => choose("stems") }, "Stems");
  const original = h("button", { type: "button", title: "The original mixture (A)", onclick: () => choose("mixture") }, "Original");
  const compare = h("div", { class: "sf-joined", role: "group", "aria-label": "What is heard" }, stems, original);
  const click = h("button", {
    type: "button", title: "Click on the beats (C)", onclick: () => session.change((mix) => void (mix.click = !mix.click)),
  }, icon("click"), "Click");
  const speed = slider({
    label: "Speed", min: 0.25, max: 2, step: 0.05, plain: 1, centred: true, say: (value) => `${value.toFixed(2)}×`,
    change: (value) => session.change((mix) => void (mix.speed = value)),
  });
  const pitch = slider({
    label: "Pitch", min: -12, max: 12, step: 1, plain: 0, centred: true, say: semitones,
    change: (value) => session.change((mix) => void (mix.pitch = value)),
  });
  const volume = slider({
    label: "Volume", min: 0, max: 2, step: 0.01, plain: 1, say: decibels,
    change: (value) => session.change((mix) => void (mix.volume = value)),
  });
  const level = meter();
  const tools = h("div", { class: "sf-row sf-tools" },
    openExport && h("button", { type: "button", "aria-haspopup": "dialog", onclick: openExport }, icon("save"), "Export"),
    h("button", { type: "button", class: "sf-square", "aria-label": "Keys", title: "Keys (?)", "aria-haspopup": "dialog", onclick: openKeys }, "?"));
  /** @param {string} name @param {...Node} parts */
  const fader = (name, ...parts) => h("div", { class: "sf-fader" }, h("span", { class: "sf-soft sf-small", "aria-hidden": "true" }, name), ...parts);
  const element = h("div", { class: "sf-transport", role: "group", "aria-label": "Playback" },
    h("div", { class: "sf-row sf-main" }, start, play, time),
    h("div", { class: "sf-row sf-modes" }, h("div", { class: "sf-joined" }, loop, snap), compare, click),
    tools,
    h("div", { class: "sf-row sf-faders" },
      fader("Speed", speed.element, speed.value), fader("Pitch", pitch.element, pitch.value),
      fader("Volume", volume.element, volume.value, level.element)));

  /** @param {"stems" | "mixture"} source */
  const choose = (source) => session.change((mix) => void (mix.source = source));

  function tell() {
    const { playing, starting } = session;
    const name = playing || starting ? "Pause" : "Play";
    if (play.getAttribute("aria-label") !== name) {
      play.setAttribute("aria-label", name);
      play.title = `${name} (space)`;
      play.replaceChildren(icon(playing || starting ? "pause" : "play"));
    }
    const set = session.mix;
    const rhythm = Boolean(session.analysis?.beats.length);
    loop.setAttribute("aria-pressed", String(Boolean(set.loop)));
    snap.value = session.snap;
    snap.disabled = !rhythm;
    compare.hidden = !session.stems.length;
    stems.setAttribute("aria-pressed", String(set.source === "stems"));
    original.setAttribute("aria-pressed", String(set.source === "mixture"));
    click.setAttribute("aria-pressed", String(set.click));
    click.disabled = !rhythm;
    click.title = rhythm ? "Click on the beats (C)" : "There are no beats to click on: analyse the track first";
    speed.set(set.speed);
    pitch.set(set.pitch);
    volume.set(set.volume);
    length.textContent = ` / ${clock(session.duration)}`;
  }

  return {
    element,
    update(event) {
      if (event !== "time" && event !== "peaks" && event !== "fault") tell();
    },
    tick(seconds) {
      const text = `${clock(seconds)}.${Math.floor((seconds % 1) * 10)}`;
      if (now.textContent !== text) now.textContent = text;
      const number = barAt(session.analysis, seconds);
      const beats = session.analysis?.beats ?? [];
      const first = number ? session.analysis?.downbeats[number - 1] ?? 0 : 0;
      const beat = countUntil(beats, seconds + 0.02) - countUntil(beats, first - 0.02);
      const place = number ? `Bar ${number}.${Math.max(1, beat)}` : "";
      if (bar.textContent !== place) bar.textContent = place;
      const levels = session.playing || level.moving() ? session.levels() : null;
      level.show(levels?.master ?? null);
      return level.moving();
    },
  };
}

/** @param {number} value */
function semitones(value) {
  return value === 0 ? "0 st" : `${value > 0 ? "+" : "−"}${Math.abs(value)} st`;
}
