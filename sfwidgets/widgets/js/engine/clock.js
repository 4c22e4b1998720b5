/** Where the ear is: the audio thread's last report, carried on to now. */

/** Seconds that a report is carried on at most: reports come every 25 ms, so one that is older than this is from a stalled page. */
const FURTHEST = 0.3;

export class Clock {
  constructor() {
    this.frame = 0;
    this.time = 0;
    this.rate = 1;
    this.running = false;
    /** The earliest frame that can be heard since sound began, jumped or went round the loop. */
    this.floor = 0;
    /** @type {import("./reader.js").Loop} */
    this.loop = null;
  }

  /** @param {{ frame: number, time: number, rate: number, sounding: boolean }} report */
  take({ frame, time, rate, sounding }) {
    if (!sounding || !this.running) this.floor = frame;
    if (frame < this.floor) this.floor = this.loop ? this.loop.start : frame;
    Object.assign(this, { frame, time, rate, running: sounding });
  }

  /** Stand still at a frame until the next report. @param {number} frame */
  set(frame) {
    Object.assign(this, { frame, running: false, floor: frame });
  }

  /** @param {BaseAudioContext | null} context @returns {number} The frame that is heard. */
  now(context) {
    if (!this.running || !context) return this.frame;
    const { currentTime, sampleRate } = context;
    const latency = /** @type {AudioContext} */ (context).outputLatency ?? 0;
    const elapsed = Math.min(FURTHEST, currentTime - latency - this.time);
    const frame = Math.max(this.floor, this.frame + elapsed * sampleRate * this.rate);
    const { loop } = this;
    if (!loop || this.frame >= loop.end || frame < loop.end) return frame;
    return loop.start + ((frame - loop.end) % (loop.end - loop.start));
  }
}
