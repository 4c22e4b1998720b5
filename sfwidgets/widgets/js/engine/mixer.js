/** The audio thread's store of chunks, and the sum of all lanes from it. */

/** Frames over which a gain moves to its new value (9 ms at 44.1 kHz), so that no change clicks. */
export const RAMP = 384;

export class Mixer {
  /** @param {number} lanes @param {number} frames @param {number} chunk Frames in a chunk. */
  constructor(lanes, frames, chunk) {
    this.lanes = lanes;
    this.frames = frames;
    this.chunk = chunk;
    /** @type {Map<number, Int16Array[]>} A chunk's lanes, each interleaved stereo. */
    this.chunks = new Map();
    this.gain = new Float32Array(lanes * 2);
    this.target = new Float32Array(lanes * 2);
    this.step = new Float32Array(lanes * 2);
    this.ramping = 0;
    /** The loudest sample of each lane and side since `peaks` was last emptied. */
    this.peaks = new Float32Array(lanes * 2);
  }

  /** @param {number} index @param {Int16Array[]} lanes */
  put(index, lanes) {
    this.chunks.set(index, lanes);
  }

  /** Forget a chunk. @param {number} index @returns {ArrayBufferLike[]} Its memory. */
  drop(index) {
    const lanes = this.chunks.get(index) ?? [];
    this.chunks.delete(index);
    return lanes.map((lane) => lane.buffer);
  }

  /** @param {Float32Array} target @param {boolean} atOnce Nothing sounds: no ramp is needed. */
  setGains(target, atOnce) {
    for (let i = 0; i < target.length; i++) {
      const now = this.target[i] - this.step[i] * this.ramping;
      this.target[i] = target[i];
      this.step[i] = atOnce ? 0 : (target[i] - now) / RAMP;
    }
    this.ramping = atOnce ? 0 : RAMP;
  }

  /** Let time pass for the gains. @param {number} count */
  advance(count) {
    this.ramping = Math.max(0, this.ramping - count);
    if (this.ramping === 0) this.step.fill(0);
  }

  /** Whether all of these frames are here; what lies outside the track always is. @param {number} from @param {number} to */
  has(from, to) {
    const last = Math.min(to, this.frames) - 1;
    for (let index = Math.floor(Math.max(0, from) / this.chunk); index * this.chunk <= last; index++) {
      if (!this.chunks.has(index)) return false;
    }
    return true;
  }

  /**
   * Write the sum of all lanes; silence where a chunk is not here, and outside of the track.
   * @param {Float32Array} left @param {Float32Array} right
   * @param {number} offset Where in `left` and `right`.
   * @param {number} position The first frame, an integer.
   * @param {number} count
   */
  mix(left, right, offset, position, count) {
    left.fill(0, offset, offset + count);
    right.fill(0, offset, offset + count);
    const end = Math.min(position + count, this.frames);
    for (let frame = Math.max(0, position); frame < end; ) {
      const index = Math.floor(frame / this.chunk);
      const next = Math.min(end, (index + 1) * this.chunk);
      const chunk = this.chunks.get(index);
      if (chunk) {
        for (let lane = 0; lane < this.lanes; lane++) {
          this.#add(lane, chunk[lane], frame - index * this.chunk, left, right, offset + frame - position, next - frame, frame - position);
        }
      }
      frame = next;
    }
  }

  /**
   * @param {number} lane @param {Int16Array} samples @param {number} from
   * @param {Float32Array} left @param {Float32Array} right @param {number} to @param {number} count
   * @param {number} elapsed How many frames of a ramp pass before the first of these.
   */
  #add(lane, samples, from, left, right, to, count, elapsed) {
    const l = 2 * lane;
    const r = l + 1;
    const [endL, endR, stepL, stepR] = [this.target[l], this.target[r], this.step[l], this.step[r]];
    let ramp = stepL === 0 && stepR === 0 ? 0 : Math.max(0, this.ramping - elapsed);
    if (ramp === 0 && endL === 0 && endR === 0) return;
    let peakL = this.peaks[l];
    let peakR = this.peaks[r];
    for (let i = 0, j = 2 * from; i < count; i++, j += 2) {
      if (ramp > 0) ramp--;
      const a = (samples[j] / 32768) * (endL - stepL * ramp);
      const b = (samples[j + 1] / 32768) * (endR - stepR * ramp);
      left[to + i] += a;
      right[to + i] += b;
      if (a > peakL) peakL = a;
      else if (-a > peakL) peakL = -a;
      if (b > peakR) peakR = b;
      else if (-b > peakR) peakR = -b;
    }
    this.peaks[l] = peakL;
    this.peaks[r] = peakR;
  }
}
