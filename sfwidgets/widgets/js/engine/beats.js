/** Seconds by which a downbeat may miss its beat and still be it. */
const SAME = 0.03;

/**
 * The click track's marks, in frames; a downbeat is accented, and is a beat even where no beat was found.
 * @param {number[]} beats Seconds. @param {number[]} downbeats Seconds. @param {number} rate
 */
export function marks(beats, downbeats, rate) {
  const near = (/** @type {number[]} */ times, /** @type {number} */ time) => times.some((other) => Math.abs(other - time) < SAME);
  const all = [...beats, ...downbeats.filter((downbeat) => !near(beats, downbeat))].sort((a, b) => a - b);
  return {
    frames: Float64Array.from(all, (beat) => beat * rate),
    accents: Uint8Array.from(all, (beat) => Number(near(downbeats, beat))),
  };
}
