/** A lane's outline at every scale: pairs of lowest and highest sample, and level by level half as many of them. */

/** The fewest pairs that are worth a level of their own. */
const SMALLEST = 256;

/**
 * @typedef {object} Pyramid
 * @property {number} samplesPerPixel Samples that a pair of the lowest level stands for.
 * @property {number} sampleRate
 * @property {Int8Array[]} levels Each `[lowest, highest, lowest, highest, …]`, full scale at ±127.
 */

/**
 * @param {Int8Array} pairs @param {number} samplesPerPixel @param {number} sampleRate
 * @returns {Pyramid}
 */
export function pyramid(pairs, samplesPerPixel, sampleRate) {
  const levels = [pairs];
  for (let below = pairs; below.length / 2 > SMALLEST; ) {
    const count = Math.ceil(below.length / 4);
    const level = new Int8Array(count * 2);
    for (let i = 0; i < count; i++) {
      const at = 4 * i;
      const other = at + 2 < below.length ? at + 2 : at;
      level[2 * i] = Math.min(below[at], below[other]);
      level[2 * i + 1] = Math.max(below[at + 1], below[other + 1]);
    }
    levels.push(level);
    below = level;
  }
  return { samplesPerPixel, sampleRate, levels };
}

/**
 * Draw what lies from `start` on, one pixel standing for `perPixel` seconds, over the whole of the context's canvas.
 * @param {CanvasRenderingContext2D} context
 * @param {Pyramid} lane
 * @param {{ start: number, perPixel: number, colour: string, width: number, top: number, height: number }} where In device pixels.
 */
export function drawOutline(context, lane, { start, perPixel, colour, width, top, height }) {
  const samples = perPixel * lane.sampleRate;
  context.fillStyle = colour;
  const fine = samples / lane.samplesPerPixel;
  if (fine < 1) return drawFine(context, lane, { start, perPixel, width, top, height });
  const depth = Math.min(lane.levels.length - 1, Math.floor(Math.log2(fine)));
  const level = lane.levels[depth];
  const pairs = level.length / 2;
  const step = fine / 2 ** depth;
  const first = Math.round(start / perPixel);
  const middle = top + height / 2;
  const scale = height / 2 / 127;
  context.beginPath();
  for (let x = 0; x < width; x++) {
    const from = Math.max(0, Math.floor((first + x) * step));
    const to = Math.min(pairs, Math.max(from + 1, Math.floor((first + x + 1) * step)));
    if (from >= to) continue;
    let lowest = 127;
    let highest = -127;
    for (let i = 2 * from; i < 2 * to; i += 2) {
      if (level[i] < lowest) lowest = level[i];
      if (level[i + 1] > highest) highest = level[i + 1];
    }
    const y = Math.round(middle - highest * scale);
    context.rect(x, y, 1, Math.max(1, Math.round(middle - lowest * scale) - y));
  }
  context.fill();
}

/**
 * Draw the outline where a pair is wider than a pixel: a band through the middles of the pairs.
 * @param {CanvasRenderingContext2D} context @param {Pyramid} lane
 * @param {{ start: number, perPixel: number, width: number, top: number, height: number }} where
 */
function drawFine(context, lane, { start, perPixel, width, top, height }) {
  const level = lane.levels[0];
  const pair = lane.samplesPerPixel / lane.sampleRate;
  const from = Math.max(0, Math.floor(start / pair) - 1);
  const to = Math.min(level.length / 2, Math.ceil((start + width * perPixel) / pair) + 1);
  const middle = top + height / 2;
  const scale = height / 2 / 127;
  /** @param {number} i */
  const x = (i) => ((i + 0.5) * pair - start) / perPixel;
  context.beginPath();
  for (let i = from; i < to; i++) context.lineTo(x(i), middle - level[2 * i + 1] * scale - 0.5);
  for (let i = to - 1; i >= from; i--) context.lineTo(x(i), middle - level[2 * i] * scale + 0.5);
  context.fill();
}
