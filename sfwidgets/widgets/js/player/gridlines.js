/** Lines of beats and bars, the loop and the cue points, as they lie behind the waveforms and in the ruler. */
import { countUntil } from "./musical.js";

/** CSS pixels that lie at least between two lines. */
const BEATS_APART = 9;
const BARS_APART = 14;

const STEPS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/**
 * The part of ascending times that is visible, with the index of its first.
 * @param {number[]} times @param {number} start @param {number} end
 */
export function within(times, start, end) {
  const from = Math.max(0, countUntil(times, start) - 1);
  return { from, times: times.slice(from, countUntil(times, end) + 1) };
}

/** Every how many-th bar gets a line where one bar is so wide. @param {number} width CSS pixels. @param {number} apart */
export function barStep(width, apart = BARS_APART) {
  return STEPS.find((step) => step * width >= apart) ?? 512;
}

/** CSS pixels of a mean bar or beat. @param {number[]} times @param {number} perSecond */
export function meanWidth(times, perSecond) {
  return times.length > 1 ? ((times[times.length - 1] - times[0]) / (times.length - 1)) * perSecond : 0;
}

/**
 * @param {import("./view.js").View} view @param {import("./surface.js").Surface} surface
 * @param {number} start Seconds at the left edge.
 */
export function drawGrid(view, { context, width, height, ratio }, start) {
  const { viewport, session: { analysis } } = view;
  if (!analysis) return;
  const perSecond = width / viewport.length;
  /** @param {number[]} times @param {number} step @param {string} colour @param {number} alpha */
  const lines = (times, step, colour, alpha) => {
    const { from, times: seen } = within(times, start, viewport.end);
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    seen.forEach((time, i) => {
      if ((from + i) % step === 0) context.fillRect(Math.round((time - start) * perSecond * ratio), 0, Math.max(1, Math.floor(ratio)), height * ratio);
    });
    context.globalAlpha = 1;
  };
  if (meanWidth(analysis.beats, perSecond) >= BEATS_APART) lines(analysis.beats, 1, view.colour("line"), 0.55);
  const bar = meanWidth(analysis.downbeats, perSecond);
  if (bar) lines(analysis.downbeats, barStep(bar), view.colour("ink-soft"), 0.32);
}

/**
 * Tint what is looped, or is being chosen; a loop that L would bring back is only outlined.
 * @param {import("./view.js").View} view @param {import("./surface.js").Surface} surface @param {number} start
 */
export function drawLoop(view, { context, width, height, ratio }, start) {
  const { session, viewport } = view;
  const active = view.selection ?? session.mix.loop;
  const loop = active ?? session.lastLoop;
  if (!loop) return;
  const scale = (width / viewport.length) * ratio;
  const from = Math.round((loop.start - start) * scale);
  const to = Math.round((loop.end - start) * scale);
  if (to < 0 || from > width * ratio) return;
  context.fillStyle = view.colour("accent");
  if (active) {
    context.globalAlpha = 0.13;
    context.fillRect(from, 0, to - from, height * ratio);
  }
  context.globalAlpha = active ? 0.9 : 0.35;
  const line = Math.max(1, Math.round(ratio));
  context.fillRect(from, 0, line, height * ratio);
  context.fillRect(to - line, 0, line, height * ratio);
  context.globalAlpha = 1;
}

/** @param {import("./view.js").View} view @param {import("./surface.js").Surface} surface @param {number} start */
export function drawCueLines(view, { context, width, height, ratio }, start) {
  const scale = (width / view.viewport.length) * ratio;
  context.fillStyle = view.colour("warn");
  context.globalAlpha = 0.55;
  for (const { time } of view.session.cues) {
    const x = Math.round((time - start) * scale);
    if (x >= 0 && x <= width * ratio) context.fillRect(x, 0, Math.max(1, Math.floor(ratio)), height * ratio);
  }
  context.globalAlpha = 1;
}

/** The left edge, on a whole device pixel, so that what is drawn keeps its shape while it moves.
 * @param {import("./view.js").View} view @param {import("./surface.js").Surface} surface */
export function leftEdge({ viewport }, { width, ratio }) {
  const perPixel = viewport.length / (width * ratio);
  return { start: Math.round(viewport.start / perPixel) * perPixel, perPixel };
}
