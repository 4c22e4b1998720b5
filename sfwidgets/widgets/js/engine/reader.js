/** Frames of every fade between what was heard and what is heard next: 6 ms at 44.1 kHz. */
export const FADE = 256;

/**
 * One read position for all lanes: frames in the order in which they are played, round and round a loop.
 *
 * @typedef {{ start: number, end: number } | null} Loop Frames; `end` is the first that is not played.
 */
export class Reader {
  /** @param {import("./mixer.js").Mixer} mixer */
  constructor(mixer) {
    this.mixer = mixer;
    this.position = 0;
    /** @type {Loop} */
    this.loop = null;
    this.seamLeft = new Float32Array(FADE);
    this.seamRight = new Float32Array(FADE);
  }

  /** @param {Float32Array} left @param {Float32Array} right @param {number} count */
  read(left, right, count) {
    for (let done = 0; done < count; ) {
      const loop = this.loop && this.position < this.loop.end ? this.loop : null;
      const n = loop ? Math.min(count - done, loop.end - this.position) : count - done;
      this.mixer.mix(left, right, done, this.position, n);
      if (loop) this.#blend(loop, left, right, done, n);
      this.mixer.advance(n);
      this.position += n;
      if (loop && this.position === loop.end) this.position = loop.start;
      done += n;
    }
  }

  /** Whether this many frames can be played from a position on. @param {number} position @param {number} count */
  has(position, count) {
    const { loop, mixer } = this;
    if (!loop || position >= loop.end) return mixer.has(position, position + count);
    const rest = position + count - loop.end;
    if (rest <= 0) return mixer.has(position, position + count);
    return mixer.has(position, loop.end) && mixer.has(loop.start, Math.min(loop.end, loop.start + rest));
  }

  /**
   * Blend the last frames of a loop into those before its start, so that its seam does not click and its first note is whole.
   * @param {{ start: number, end: number }} loop @param {Float32Array} left @param {Float32Array} right
   * @param {number} offset @param {number} count
   */
  #blend(loop, left, right, offset, count) {
    const first = Math.max(this.position, loop.end - FADE);
    const n = this.position + count - first;
    if (n <= 0) return;
    this.mixer.mix(this.seamLeft, this.seamRight, 0, loop.start - loop.end + first, n);
    const at = offset + first - this.position;
    for (let i = 0; i < n; i++) {
      const share = 1 - (loop.end - first - i) / FADE;
      left[at + i] += share * (this.seamLeft[i] - left[at + i]);
      right[at + i] += share * (this.seamRight[i] - right[at + i]);
    }
  }
}
