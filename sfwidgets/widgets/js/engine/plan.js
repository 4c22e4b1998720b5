/**
 * Which chunks to hold, the most urgent first: those that will be played next, the loop's start, those just played.
 *
 * @param {object} given
 * @param {number} given.frame The playhead.
 * @param {import("./reader.js").Loop} given.loop
 * @param {number} given.frames Of the track.
 * @param {number} given.chunk Frames in a chunk.
 * @param {number} given.ahead Chunks before the playhead, its own among them.
 * @param {number} given.behind Chunks after it.
 * @returns {number[]}
 */
export function plan({ frame, loop, frames, chunk, ahead, behind }) {
  const last = Math.ceil(frames / chunk) - 1;
  const of = (/** @type {number} */ place) => Math.max(0, Math.min(last, Math.floor(place / chunk)));
  const here = of(frame);
  /** @type {Set<number>} */
  const wanted = new Set();
  if (loop && frame < loop.end) {
    const end = of(loop.end - 1);
    for (let index = here; index <= end && wanted.size < ahead; index++) wanted.add(index);
    for (let index = of(loop.start); index <= end && wanted.size < ahead; index++) wanted.add(index);
    wanted.add(Math.min(last, end + 1));
  } else {
    for (let index = here; index <= last && wanted.size < ahead; index++) wanted.add(index);
  }
  if (loop) for (const place of [loop.start, loop.start + chunk, loop.start - chunk / 4]) wanted.add(of(place));
  for (let index = here - 1; index >= Math.max(0, here - behind); index--) wanted.add(index);
  return [...wanted];
}
