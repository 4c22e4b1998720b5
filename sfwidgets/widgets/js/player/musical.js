/**
 * What the analysis says of a moment, in words and on the grid.
 *
 * @typedef {{ start: number, end: number, label: string, role?: string | null }} Section
 * @typedef {{ start: number, end: number, label: string }} Chord
 * @typedef {{ time: number, label: string, type: string }} Cue
 * @typedef {object} Analysis
 * @property {number[]} beats
 * @property {number[]} downbeats
 * @property {Section[]} sections
 * @property {Chord[]} chords
 * @property {string | null} key
 * @property {number | null} tempo
 * @property {string | null} timeSignature
 * @typedef {"off" | "beat" | "bar"} Snap
 */
import { clock } from "../lib/format.js";

/** A moment this close before a beat counts as on it. */
const CLOSE = 0.02;

/** @param {number[]} times Ascending. @param {number} time @returns {number} How many are not after it. */
export function countUntil(times, time) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {Analysis | null} analysis @param {Snap} snap */
export function grid(analysis, snap) {
  if (!analysis || snap === "off") return [];
  return snap === "bar" && analysis.downbeats.length > 1 ? analysis.downbeats : analysis.beats;
}

/** The nearest place on the grid, or the moment itself where there is no grid.
 * @param {Analysis | null} analysis @param {Snap} snap @param {number} time */
export function snapped(analysis, snap, time) {
  const places = grid(analysis, snap);
  const after = countUntil(places, time);
  const near = places.slice(Math.max(0, after - 1), after + 1);
  return near.length ? near.reduce((best, place) => (Math.abs(place - time) < Math.abs(best - time) ? place : best)) : time;
}

/** The next place on the grid in a direction, or `step` seconds on.
 * @param {number[]} places @param {number} time @param {1 | -1} direction @param {number} step */
export function stepped(places, time, direction, step) {
  const at = direction > 0 ? countUntil(places, time + CLOSE) : countUntil(places, time - CLOSE) - 1;
  return places[at] ?? time + direction * step;
}

/** Two bars around a moment: what a loop is where nobody chose one.
 * @param {Analysis | null} analysis @param {number} time @param {number} duration @returns {{ start: number, end: number }} */
export function twoBars(analysis, time, duration) {
  const bars = analysis?.downbeats ?? [];
  if (bars.length > 2) {
    const first = Math.min(Math.max(0, countUntil(bars, time + CLOSE) - 1), bars.length - 2);
    const bar = bars[first + 1] - bars[first];
    return { start: bars[first], end: Math.min(duration, bars[first + 2] ?? bars[first + 1] + bar) };
  }
  const start = Math.max(0, Math.min(time, duration - 4));
  return { start, end: Math.min(duration, start + 4) };
}

/** @param {Analysis | null} analysis @param {number} time @returns {number} The bar's number from 1; 0 before the first. */
export function barAt(analysis, time) {
  return countUntil(analysis?.downbeats ?? [], time + CLOSE);
}

/** @template {{ start: number, end: number }} T @param {T[]} spans @param {number} time @returns {T | undefined} */
export function spanAt(spans, time) {
  return spans.find((span) => time >= span.start && time < span.end);
}

/** @param {Section} section */
export function sectionName(section) {
  return section.role ? section.role[0].toUpperCase() + section.role.slice(1) : section.label;
}

const SHORT = /** @type {Record<string, string>} */ ({ maj: "", min: "m", maj7: "maj7", min7: "m7", hdim7: "m7b5" });
const SPOKEN = /** @type {Record<string, string>} */ ({ maj: "major", min: "minor", maj7: "major 7", min7: "minor 7", 7: "7" });

/** @param {string} label A chord in Harte's notation. @returns {string} Like `Am`; empty where none sounds. */
export function chordName(label) {
  const [root, quality = "maj"] = label.split("/")[0].split(":");
  return root === "N" || root === "X" ? "" : (root + (SHORT[quality] ?? quality)).replace("#", "♯").replace(/^([A-G])b/, "$1♭");
}

/** @param {string} label @returns {string} Like `A minor`. */
export function chordSpoken(label) {
  const [root, quality = "maj"] = label.split("/")[0].split(":");
  if (root === "N" || root === "X") return "";
  return `${root.replace("#", " sharp").replace(/^([A-G])b/, "$1 flat")} ${SPOKEN[quality] ?? quality}`;
}

/** Where a moment is, as a person would say it: `1:23, bar 41, chorus, A minor`.
 * @param {Analysis | null} analysis @param {number} time */
export function spoken(analysis, time) {
  const bar = barAt(analysis, time);
  const section = spanAt(analysis?.sections ?? [], time);
  const chord = spanAt(analysis?.chords ?? [], time);
  const words = [clock(time), bar && `bar ${bar}`, section && (section.role ?? `section ${section.label}`), chord && chordSpoken(chord.label)];
  return words.filter(Boolean).join(", ");
}
