/** Above the waveforms: time, bars, sections, chords and cue points, the playhead to take hold of, and the loop's handles. */
import { clock } from "../lib/format.js";
import { h } from "../lib/dom.js";
import { timelineGestures } from "./gestures.js";
import { barStep, drawLoop, leftEdge, meanWidth, within } from "./gridlines.js";
import { handles } from "./handles.js";
import { chordName, sectionName, spoken } from "./musical.js";
import { sectionTokens } from "./palette.js";
import { playhead, surface } from "./surface.js";

const SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
/** CSS pixels. */
const ROW = 20;
const LABELS_APART = 64;
const NUMBERS_APART = 34;
/** Chords that have less room on average are not drawn. */
const CHORD = 22;
const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** @typedef {{ context: CanvasRenderingContext2D, width: number, ratio: number, start: number, perSecond: number, top: number }} Band */

/** @param {import("./view.js").View} view @returns {import("./view.js").Part} */
export function ruler(view) {
  const { session, viewport } = view;
  const drawn = surface(view, {
    class: "sf-ruler-canvas", role: "slider", tabindex: "0", "aria-label": "Playhead", "aria-orientation": "horizontal", "aria-valuemin": "0",
  });
  const { canvas } = drawn;
  const head = playhead();
  const loop = handles(view);
  const area = h("div", { class: "sf-ruler-area" }, canvas, head.element, ...loop.elements);
  const names = h("div", { class: "sf-ruler-names", "aria-hidden": "true" });
  const element = h("div", { class: "sf-ruler" }, names, area);
  timelineGestures(canvas, view, { selects: true });
  canvas.addEventListener("pointerdown", () => canvas.focus({ preventScroll: true }));

  /** @type {{ name: string, paint: (band: Band) => void }[]} */
  let rows = [];
  function choose() {
    const { analysis, cues } = session;
    rows = [{ name: "Time", paint: times }];
    if (analysis?.downbeats.length) rows.push({ name: "Bars", paint: bars });
    if (analysis?.sections.length) rows.push({ name: "Sections", paint: sections });
    if (analysis?.chords.some((chord) => chordName(chord.label))) rows.push({ name: "Chords", paint: chords });
    if (cues.length) rows.push({ name: "Cue points", paint: flags });
    names.replaceChildren(...rows.map(({ name }) => h("span", {}, name)));
    area.style.height = `${rows.length * ROW + 2}px`;
  }

  /** @param {Band} band */
  function times({ context, width, ratio, start, perSecond, top }) {
    const step = SECONDS.find((seconds) => seconds * perSecond >= LABELS_APART) ?? 1200;
    context.fillStyle = view.colour("ink-soft");
    for (let i = Math.floor(start / step); i * step <= start + width / perSecond; i++) {
      const x = (i * step - start) * perSecond;
      context.fillRect(Math.round(x * ratio) / ratio, top + 13, 1 / ratio, ROW - 13);
      const text = step < 1 ? `${clock(i * step)}.${Math.round(i * step * 10) % 10}` : clock(i * step);
      if (x + 4 + context.measureText(text).width <= width) context.fillText(text, x + 4, top + 10);
    }
  }

  /** @param {Band} band */
  function bars({ context, ratio, start, perSecond, top }) {
    const { downbeats, beats } = /** @type {import("./musical.js").Analysis} */ (session.analysis);
    const width = meanWidth(downbeats, perSecond);
    context.fillStyle = view.colour("line");
    if (meanWidth(beats, perSecond) >= 7) {
      for (const time of within(beats, start, viewport.end).times) context.fillRect((time - start) * perSecond, top + 14, 1, ROW - 14);
    }
    const [lines, numbers] = [barStep(width), barStep(width, NUMBERS_APART)];
    const { from, times: seen } = within(downbeats, start, viewport.end);
    seen.forEach((time, i) => {
      const x = (time - start) * perSecond;
      context.fillStyle = view.colour("ink-soft");
      if ((from + i) % lines === 0) context.fillRect(Math.round(x * ratio) / ratio, top + 8, 1 / ratio, ROW - 8);
      context.fillStyle = view.colour("ink");
      if ((from + i) % numbers === 0) context.fillText(String(from + i + 1), x + 4, top + 11);
    });
  }

  /** @param {Band} band */
  function sections({ context, width, start, perSecond, top }) {
    const all = session.analysis?.sections ?? [];
    const tokens = sectionTokens(all);
    for (const section of all) {
      const from = Math.max(-2, (section.start - start) * perSecond);
      const to = Math.min(width + 2, (section.end - start) * perSecond);
      if (to <= 0 || from >= width) continue;
      context.fillStyle = view.colour(tokens.get(section.label) ?? "other");
      context.globalAlpha = 0.24;
      context.fillRect(from, top + 1, to - from - 1, ROW - 3);
      context.globalAlpha = 1;
      context.fillRect(from, top + 1, 3, ROW - 3);
      context.fillStyle = view.colour("ink");
      const named = sectionName(section);
      write(context, section.role && section.label.length < 3 ? [`${named} · ${section.label}`, named, section.label] : [named], Math.max(0, from) + 8, top + 10, to - Math.max(0, from) - 10);
    }
  }

  /** @param {Band} band */
  function chords({ context, width, start, perSecond, top }) {
    const seen = (session.analysis?.chords ?? []).filter((chord) => chord.end > start && chord.start < viewport.end);
    const roomy = (width / Math.max(1, seen.length)) > CHORD;
    context.fillStyle = view.colour("ink-soft");
    if (!roomy) return void context.fillText("Zoom in to read the chords", 8, top + 10);
    for (const chord of seen) {
      const name = chordName(chord.label);
      const from = (chord.start - start) * perSecond;
      const to = (chord.end - start) * perSecond;
      if (!name) continue;
      context.fillStyle = view.colour("sunken");
      context.fillRect(from, top + 1, Math.max(1, to - from - 1), ROW - 3);
      const x = Math.max(0, from) + 4;
      context.fillStyle = view.colour("ink");
      write(context, [name], x, top + 10, to - x - 2);
    }
  }

  /** @param {Band} band */
  function flags({ context, width, start, perSecond, top }) {
    const seen = session.cues.filter(({ time }) => time >= start - width / perSecond && time <= start + width / perSecond);
    seen.forEach(({ time, label }, i) => {
      const x = (time - start) * perSecond;
      const next = seen[i + 1] ? (seen[i + 1].time - start) * perSecond : width;
      context.fillStyle = view.colour("warn");
      context.beginPath();
      context.moveTo(x, top + 3);
      context.lineTo(x + 8, top + 7.5);
      context.lineTo(x, top + 12);
      context.fill();
      context.fillRect(x, top + 3, 1, ROW - 3);
      context.fillStyle = view.colour("ink");
      write(context, [label], x + 11, top + 9, next - x - 16);
    });
  }

  function say() {
    canvas.setAttribute("aria-valuemax", session.duration.toFixed(1));
    canvas.setAttribute("aria-valuenow", session.time.toFixed(1));
    canvas.setAttribute("aria-valuetext", spoken(session.analysis, session.time));
  }

  return {
    element,
    update(event) {
      if (event === "track" || event === "analysis" || event === "cues") choose();
      // A reader that is told of every moment never falls silent: while it plays, the words wait.
      if (event !== "time" || !session.playing) say();
    },
    draw() {
      loop.place(drawn.width);
      if (!drawn.clear()) return;
      const { context, width, ratio } = drawn;
      const { start } = leftEdge(view, drawn);
      drawLoop(view, drawn, start);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.font = FONT;
      context.textBaseline = "middle";
      const perSecond = width / viewport.length;
      rows.forEach(({ paint }, i) => paint({ context, width, ratio, start, perSecond, top: i * ROW }));
    },
    tick(time) {
      head.move(((time - viewport.start) / viewport.length) * drawn.width, drawn.width);
    },
  };
}

/** Write the first of `texts` that has room. @param {CanvasRenderingContext2D} context @param {string[]} texts
 * @param {number} x @param {number} y @param {number} room @returns {boolean} Whether there was room. */
function write(context, texts, x, y, room) {
  const text = texts.find((candidate) => context.measureText(candidate).width <= room);
  if (text === undefined) {
    const short = [...texts[texts.length - 1]];
    while (short.length > 2 && context.measureText(`${short.join("")}…`).width > room) short.pop();
    if (short.length <= 3 || short.length === [...texts[texts.length - 1]].length) return false;
    context.fillText(`${short.join("")}…`, x, y);
    return true;
  }
  context.fillText(text, x, y);
  return true;
}
