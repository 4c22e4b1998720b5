/** Chords and sections, in step with a player where there is one; clicking one goes there. */
import { h } from "../lib/dom.js";
import { clock } from "../lib/format.js";
import { roving, stop } from "../views/roving.js";

/** Pixels of the chord ribbon a second. */
const SCALE = 48;
/** Where the playhead stands in the ribbon, as a share of its width. */
const LEAD = 0.3;
/** How long a hand on the ribbon keeps it from moving by itself, in milliseconds. */
const HANDS_OFF = 3000;

const still = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * @typedef {[start: number, end: number, name: string, confidence: number]} ChordSpan `name` is "" where none sounds.
 * @typedef {[start: number, end: number, label: string, role: string | null]} SectionSpan
 * @param {{ chords: ChordSpan[], sections: SectionSpan[], duration: number }} found
 * @param {((seconds: number) => void) | null} seek Null where there is no player.
 */
export function inStep({ chords, sections, duration }, seek) {
  const ribbon = chordRibbon(chords, duration, seek);
  const strip = sectionStrip(sections, duration, seek);
  return {
    element: h("div", { class: "sf-step" }, strip.element, ribbon.element),
    /** @param {number} time @param {boolean} playing */
    show(time, playing) {
      strip.show(time);
      ribbon.show(time, playing);
    },
  };
}

/** @param {SectionSpan[]} sections @param {number} duration @param {((seconds: number) => void) | null} seek */
function sectionStrip(sections, duration, seek) {
  if (sections.length === 0) return { element: h("p", { class: "sf-soft" }, "The sections could not be told."), show() {} };
  const labels = [...new Set(sections.map(([, , label]) => label))];
  const blocks = sections.map(([start, end, label, role]) => {
    const words = role ? `${label} · ${role}` : label;
    const told = `Section ${role ? `${label}, ${role}` : label}, ${clock(start)} to ${clock(end)}`;
    return place(seek && (() => seek(start)), {
      class: "sf-section",
      style: `left: ${(100 * start) / duration}%; width: ${(100 * (end - start)) / duration}%; --tint: ${tint(labels.indexOf(label))}`,
      title: told,
      told,
    }, h("span", {}, words));
  });
  const head = h("div", { class: "sf-playhead", hidden: !seek });
  const row = h("div", { class: "sf-sections", role: "group", "aria-label": "Sections" }, ...blocks, head);
  if (seek) roving(row, "button");
  const now = current(blocks, sections, (block) => seek && stop(row, "button", block));
  return {
    element: row,
    /** @param {number} time */
    show(time) {
      head.style.left = `${(100 * Math.min(time, duration)) / duration}%`;
      now(time);
    },
  };
}

/** @param {ChordSpan[]} chords @param {number} duration @param {((seconds: number) => void) | null} seek */
function chordRibbon(chords, duration, seek) {
  if (!chords.some(([, , name]) => name)) return { element: h("p", { class: "sf-soft" }, "The chords could not be told."), show() {} };
  const sounding = chords.filter(([, , name]) => name);
  const blocks = sounding.map(([start, end, name]) => {
    const told = `${name}, ${clock(start)} to ${clock(end)}`;
    return place(seek && (() => seek(start)), {
      class: "sf-chord",
      style: `left: ${start * SCALE}px; width: ${Math.max(2, (end - start) * SCALE - 2)}px`,
      title: told,
      told,
    }, h("span", {}, name));
  });
  const ticks = Array.from({ length: Math.floor(duration / 5) + 1 }, (_, i) =>
    h("span", { class: "sf-tick", "aria-hidden": true, style: `left: ${i * 5 * SCALE}px` }, clock(i * 5)));
  const inner = h("div", { class: "sf-ribbon-inner", style: `width: ${duration * SCALE}px` }, ...ticks, ...blocks);
  const scroller = h("div", { class: "sf-ribbon", role: "group", "aria-label": "Chords", tabindex: seek ? null : 0, "data-leads": Boolean(seek) }, inner);
  if (seek) roving(scroller, "button");
  const name = h("strong", { class: "sf-now-name" }, "–");
  const next = h("span", { class: "sf-soft sf-small" });
  const card = h("div", { class: "sf-now", hidden: !seek }, h("span", { class: "sf-soft sf-small" }, "Now"), name, next);
  const now = current(blocks, sounding, (block, at) => {
    if (seek) stop(scroller, "button", block);
    const coming = sounding.slice(at + 1, at + 3).map(([, , chord]) => chord);
    next.textContent = coming.length ? `then ${coming.join(", ")}` : "the last chord";
  });
  let hands = 0;
  for (const kind of ["pointerdown", "wheel", "keydown"]) {
    scroller.addEventListener(kind, () => (hands = performance.now()), { passive: true });
  }
  return {
    element: h("div", { class: "sf-chords" }, card, h("div", { class: "sf-ribbon-frame" }, scroller, h("div", { class: "sf-playhead", hidden: !seek }))),
    /** @param {number} time @param {boolean} playing */
    show(time, playing) {
      const at = now(time);
      name.textContent = at < 0 ? "–" : sounding[at][2];
      if (playing && performance.now() - hands < HANDS_OFF) return;
      const shown = still.matches && at >= 0 ? sounding[at][0] : time;
      const width = scroller.clientWidth;
      inner.style.marginLeft = `${LEAD * width}px`;
      inner.style.marginRight = `${(1 - LEAD) * width}px`;
      scroller.scrollLeft = shown * SCALE;
    },
  };
}

/** A place in the song: a button where there is a player to send there. @param {(() => void) | null} go @param {Record<string, any>} given @param {HTMLElement} words */
function place(go, { told, ...given }, words) {
  return go ? h("button", { type: "button", tabindex: -1, ...given, "aria-label": told, onclick: go }, words) : h("span", given, words);
}

/**
 * Return what marks, of `blocks`, the one in whose span a time lies, and returns its number, or -1 between two.
 * @param {HTMLElement[]} blocks @param {readonly (readonly [number, number, ...any[]])[]} spans
 * @param {(block: HTMLElement, at: number) => void} arrived
 */
function current(blocks, spans, arrived) {
  /** @type {HTMLElement | null} */
  let marked = null;
  return (/** @type {number} */ time) => {
    let low = 0;
    let high = spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (spans[middle][0] <= time + 1e-3) low = middle + 1;
      else high = middle;
    }
    const at = low - 1;
    const there = at >= 0 && time < spans[at][1];
    const block = there ? blocks[at] : null;
    if (block !== marked) {
      marked?.removeAttribute("aria-current");
      block?.setAttribute("aria-current", "true");
      marked = block;
      if (block) arrived(block, at);
    }
    return there ? at : -1;
  };
}

/** A colour for the label of that number: the palette, then nearer the background, then nearer the ink. @param {number} i */
function tint(i) {
  const colour = `var(--sfa-${(i % 7) + 1})`;
  const round = Math.floor(i / 7) % 3;
  return round === 0 ? colour : `color-mix(in srgb, ${colour} 50%, ${round === 1 ? "var(--sf-background)" : "var(--sf-ink)"})`;
}
