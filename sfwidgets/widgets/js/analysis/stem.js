/** Where a stem sounds, and the line it plays. */
import { h } from "../lib/dom.js";
import { clock } from "../lib/format.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} name
 * @param {{ active: [number, number][], notes: [start: number, end: number, pitch: number, name: string, cents: number][] }} stem
 * @param {number} duration
 */
export function stemPicture(name, { active, notes }, duration) {
  const sounding = active.reduce((sum, [start, end]) => sum + end - start, 0) / duration;
  const share = sounding > 0 && sounding < 0.01 ? "under 1" : Math.round(100 * sounding);
  const when = active.slice(0, 8).map(([start, end]) => `${clock(start)} to ${clock(end)}`).join(", ");
  const words = active.length === 0 ? "It never sounds." : `Sounds ${share} % of the time`;
  const strip = h("div", { class: "sf-active", role: "img", "aria-label": active.length ? `${words}: ${when}${active.length > 8 ? ", …" : ""}` : words },
    ...active.map(([start, end]) => h("span", { style: `left: ${(100 * start) / duration}%; width: ${Math.max(0.2, (100 * (end - start)) / duration)}%` })));
  return h("div", { class: "sf-stem", style: `--tint: var(--sf-${name}, var(--sf-other))` },
    h("p", { class: "sf-small sf-soft" }, words), strip, notes.length ? line(notes, duration) : null);
}

/** @param {[number, number, number, string, number][]} notes @param {number} duration */
function line(notes, duration) {
  const pitches = notes.map((note) => note[2]);
  const [low, high] = [Math.min(...pitches), Math.max(...pitches)];
  const named = (/** @type {number} */ pitch) => notes[pitches.indexOf(pitch)][3];
  const rows = high - low + 1;
  const roll = document.createElementNS(SVG, "svg");
  roll.setAttribute("viewBox", `0 0 ${duration} ${rows}`);
  roll.setAttribute("preserveAspectRatio", "none");
  roll.setAttribute("role", "img");
  roll.setAttribute("aria-label", `The bass line: ${notes.length} notes from ${named(low)} to ${named(high)}`);
  for (const [start, end, pitch] of notes) {
    const rect = document.createElementNS(SVG, "rect");
    const box = { x: start, y: high - pitch + 0.1, width: Math.max(end - start, duration / 800), height: 0.8 };
    for (const [key, value] of Object.entries(box)) rect.setAttribute(key, String(value));
    roll.append(rect);
  }
  const table = h("div", { class: "sf-note-table", tabindex: 0, role: "region", "aria-label": "The notes as a table" });
  const whole = h("details", { ontoggle: () => table.childElementCount || table.append(noteTable(notes)) },
    h("summary", {}, `All ${notes.length} notes`), table);
  return h("div", { class: "sf-line" },
    h("p", { class: "sf-small sf-soft" }, "The line it plays"),
    h("div", { class: "sf-roll" }, h("div", { class: "sf-roll-names sf-small sf-soft", "aria-hidden": true }, h("span", {}, named(high)), h("span", {}, named(low))), roll),
    whole);
}

/** @param {[number, number, number, string, number][]} notes */
function noteTable(notes) {
  const head = h("tr", {}, ...["Note", "Start", "Length", "Off by"].map((title) => h("th", { scope: "col" }, title)));
  return h("table", { class: "sf-numbers" }, h("thead", {}, head), h("tbody", {}, ...notes.map(([start, end, , name, cents]) =>
    h("tr", {}, h("td", {}, name), h("td", {}, `${start.toFixed(2)} s`), h("td", {}, `${(end - start).toFixed(2)} s`), h("td", {}, `${Math.round(cents)} cents`)))));
}
