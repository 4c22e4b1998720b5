/**
 * The two ways from the lanes to the ear: as they are, or through the stretcher.
 *
 * @typedef {object} Path
 * @property {number} position The frame that the next sample out of it is of: what is heard, not what is read.
 * @property {number} rate Frames of the track for each frame that is heard.
 * @property {(position: number) => void} start
 * @property {(left: Float32Array, right: Float32Array, count: number) => void} read
 * @property {(position: number, count: number) => boolean} has Whether it could start there and give that many frames.
 * @property {(count: number) => boolean} goesOn Whether it can give that many frames from where it is.
 */

/** As they are, bit for bit. @implements {Path} */
export class Plain {
  rate = 1;

  /** @param {import("./reader.js").Reader} reader */
  constructor(reader) {
    this.reader = reader;
  }

  get position() {
    return this.reader.position;
  }

  /** @param {number} position */
  start(position) {
    this.reader.position = Math.round(position);
  }

  /** @param {Float32Array} left @param {Float32Array} right @param {number} count */
  read(left, right, count) {
    this.reader.read(left, right, count);
  }

  /** @param {number} position @param {number} count */
  has(position, count) {
    return this.reader.has(Math.round(position), count);
  }

  /** @param {number} count */
  goesOn(count) {
    return this.reader.has(this.reader.position, count);
  }
}

/**
 * Slower, faster, higher or lower. The stretcher is fed ahead of what is heard: by its input latency, in frames of the track,
 * and its output latency, in frames heard. `start` fills both, so that the first sample out is of the frame asked for.
 * @implements {Path}
 */
export class Stretched {
  position = 0;

  /** @param {import("./reader.js").Reader} reader @param {import("./stretcher.js").Stretcher} stretcher */
  constructor(reader, stretcher) {
    this.reader = reader;
    this.stretcher = stretcher;
    this.speed = 1;
    /** What is heard now; a new speed is heard after the output latency. */
    this.rate = 1;
    /** @type {{ after: number, rate: number }[]} Speeds that are on their way, with the frames until they are heard. */
    this.coming = [];
    this.owed = 0;
    this.aheadLeft = new Float32Array(stretcher.inputLatency);
    this.aheadRight = new Float32Array(stretcher.inputLatency);
  }

  /** @param {number} speed @param {number} semitones */
  set(speed, semitones) {
    this.stretcher.transpose(semitones);
    if (speed === this.speed) return;
    this.speed = speed;
    this.coming.push({ after: this.stretcher.outputLatency, rate: speed });
  }

  /** @param {number} position */
  start(position) {
    const { stretcher, reader } = this;
    const frame = Math.round(position);
    const past = stretcher.history - stretcher.inputLatency;
    reader.mixer.mix(stretcher.inLeft, stretcher.inRight, 0, frame - past, past);
    reader.position = frame;
    reader.read(this.aheadLeft, this.aheadRight, stretcher.inputLatency);
    stretcher.inLeft.set(this.aheadLeft, past);
    stretcher.inRight.set(this.aheadRight, past);
    stretcher.seek(stretcher.history, this.speed);
    this.rate = this.speed;
    this.coming = [];
    this.owed = 0;
    this.#feed(stretcher.outputLatency);
    this.position = position;
  }

  /** @param {Float32Array} left @param {Float32Array} right @param {number} count */
  read(left, right, count) {
    this.#feed(count);
    left.set(this.stretcher.outLeft.subarray(0, count));
    right.set(this.stretcher.outRight.subarray(0, count));
    this.#move(count);
  }

  /** @param {number} position @param {number} count */
  has(position, count) {
    const { inputLatency, outputLatency } = this.stretcher;
    return this.reader.has(Math.round(position), Math.ceil(inputLatency + (outputLatency + count) * this.speed));
  }

  /** @param {number} count */
  goesOn(count) {
    return this.reader.has(this.reader.position, Math.ceil(count * this.speed) + 1);
  }

  /** Make `count` frames of output from as much input as the speed asks. @param {number} count */
  #feed(count) {
    this.owed += count * this.speed;
    const input = Math.floor(this.owed);
    this.owed -= input;
    this.reader.read(this.stretcher.inLeft, this.stretcher.inRight, input);
    this.stretcher.process(input, count);
  }

  /** @param {number} count */
  #move(count) {
    for (let left = count; left > 0; ) {
      const next = this.coming[0];
      const n = next ? Math.min(left, next.after) : left;
      this.#pass(n * this.rate);
      for (const change of this.coming) change.after -= n;
      while (this.coming[0]?.after === 0) this.rate = /** @type {{ rate: number }} */ (this.coming.shift()).rate;
      left -= n;
    }
  }

  /** @param {number} frames */
  #pass(frames) {
    const { loop } = this.reader;
    const before = this.position;
    this.position += frames;
    if (loop && before < loop.end && this.position >= loop.end) this.position += loop.start - loop.end;
  }
}
