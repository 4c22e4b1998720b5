/** Plays lanes in step: what a player, a report and a comparison press the buttons of. */
import { marks } from "./beats.js";
import { Chunks } from "./chunks.js";
import { Clock } from "./clock.js";
import { MIXTURE, gains, restingLane } from "./law.js";
import { Link, sentence } from "./link.js";
import { Stall } from "./stall.js";

/** The shortest loop, in seconds. */
const SHORTEST = 0.05;

/**
 * Events: `time` (also after a seek), `state` (`playing` or `buffering` changed), `ended`, and two CustomEvents whose
 * `detail.message` is a sentence for a person: `fault`, after which it is paused, and `play` tries again; and `stall`, after
 * which it plays on by itself once audio comes, and says so by another `stall`, without a message.
 */
export class Engine extends EventTarget {
  #lanes;
  /** @type {Map<string, import("./law.js").Lane>} */
  #settings;
  #group;
  #gains;
  /** @type {import("./reader.js").Loop} */
  #loop = null;
  #speed = 1;
  #pitch = 0;
  #playing = false;
  #sounding = false;
  /** Seeks so far: what the audio thread reports from before the last one is stale. */
  #epoch = 0;
  #closed = false;
  #clock = new Clock();
  #chunks;
  #link;
  #stall;
  /** @type {Promise<void> | null} */
  #stretching = null;
  /** @type {Map<string, [number, number]>} */
  #levels = new Map();

  /**
   * @param {object} given
   * @param {{ name: string, group: string }[]} given.lanes
   * @param {number} given.sampleRate
   * @param {number} given.frames
   * @param {import("./sources.js").Source} given.source
   * @param {number[]} [given.beats] Seconds.
   * @param {number[]} [given.downbeats] Seconds.
   * @param {BaseAudioContext} [given.context] Of the same rate; without it the engine has one of its own.
   */
  constructor({ lanes, sampleRate, frames, source, beats = [], downbeats = [], context }) {
    super();
    this.sampleRate = sampleRate;
    this.frames = frames;
    this.#lanes = lanes;
    this.#settings = new Map(lanes.map(({ name }) => [name, restingLane()]));
    this.#group = lanes.find(({ group }) => group !== MIXTURE)?.group ?? MIXTURE;
    this.#gains = gains(lanes, this.#settings, this.#group);
    const chunk = Math.round(sampleRate);
    this.#link = new Link({
      sampleRate,
      context,
      options: { lanes: lanes.length, frames, chunk },
      onReport: (report) => this.#take(report),
      onFault: (message) => this.#fail(message),
      onTaken: () => this.#sounding && this.pause(),
    });
    this.#stall = new Stall({
      say: (message) => this.dispatchEvent(new CustomEvent("stall", { detail: { message } })),
      again: () => this.#chunks.retry(),
    });
    this.#link.tell({ gains: this.#gains });
    this.setBeats(beats, downbeats);
    this.#chunks = new Chunks({
      source,
      lanes: lanes.map(({ name }) => name),
      frames,
      chunk,
      put: (index, arrays) => this.#link.tell({ put: { index, lanes: arrays } }, arrays.map((array) => array.buffer)),
      drop: (drop) => this.#link.tell({ drop }),
      failed: (message, code) => (this.#playing && this.#stall.passes(code) ? this.#stall.later() : this.#fail(message)),
    });
    /** Settled once it can play, or has told why it can't. @type {Promise<void>} */
    this.ready = this.#link.ready;
    this.#aim();
  }

  /** What is heard, in seconds. */
  get time() {
    return Math.min(this.duration, Math.max(0, this.#clock.now(this.#link.context) / this.sampleRate));
  }

  get duration() {
    return this.frames / this.sampleRate;
  }

  get playing() {
    return this.#playing;
  }

  /** Whether it would play, and waits for audio. */
  get buffering() {
    return this.#playing && !this.#sounding;
  }

  /** Bytes of audio that it holds. */
  get residentBytes() {
    return this.#chunks.bytes;
  }

  /** Begin to sound, from the start where the end was reached; to be called while a click is being handled. */
  async play() {
    if (this.#closed) return;
    if (this.#playing) return this.#chunks.retry();
    this.#playing = true;
    if (this.time >= this.duration) this.seek((this.#loop?.start ?? 0) / this.sampleRate);
    this.#chunks.retry();
    this.#aim();
    this.#send("state");
    try {
      await this.#link.wake();
      if (!this.#playing) return;
      this.#link.tell({ playing: true });
      this.#stall.waits(this.buffering);
    } catch (error) {
      if (this.#playing) this.#fail(sentence(error));
    }
  }

  pause() {
    if (!this.#playing) return;
    this.#playing = false;
    this.#sounding = false;
    this.#stall.waits(false);
    this.#stall.rest();
    this.#clock.set(this.#clock.now(this.#link.context));
    this.#link.tell({ playing: false });
    this.#link.rest();
    this.#send("state");
  }

  /** @param {number} seconds */
  seek(seconds) {
    const frame = this.#place(seconds);
    this.#epoch++;
    this.#clock.set(frame);
    this.#link.tell({ seek: { frame, epoch: this.#epoch } });
    this.#aim();
    this.#send("time");
  }

  /**
   * Go round and round a part of the track; a playhead behind its end goes to its start.
   * @param {{ start: number, end: number } | null} loop Seconds.
   */
  setLoop(loop) {
    const next = loop && this.#frames(loop);
    if (next?.start === this.#loop?.start && next?.end === this.#loop?.end) return;
    this.#loop = next;
    this.#clock.loop = next;
    this.#link.tell({ loop: next });
    if (next && this.time * this.sampleRate >= next.end) this.seek(next.start / this.sampleRate);
    else this.#aim();
  }

  /** @param {string} name @param {Partial<import("./law.js").Lane>} settings */
  setLane(name, settings) {
    this.#settings.set(name, { ...(this.#settings.get(name) ?? restingLane()), ...settings });
    this.#mix();
  }

  /** @param {string} name The group of lanes that sounds, from where the playhead is. */
  setGroup(name) {
    this.#group = name;
    this.#mix();
  }

  /** @param {number} volume The master volume, 0 to 2. */
  setVolume(volume) {
    this.#link.tell({ volume });
  }

  /** @param {number} speed 0.25 to 2; the pitch stays. */
  setSpeed(speed) {
    this.#stretch(Math.max(0.25, Math.min(2, speed)), this.#pitch);
  }

  /** @param {number} semitones -12 to 12; the speed stays. */
  setPitch(semitones) {
    this.#stretch(this.#speed, Math.max(-12, Math.min(12, semitones)));
  }

  /** @param {boolean} on @param {number} volume */
  setClick(on, volume) {
    this.#link.tell({ click: on ? volume : 0 });
  }

  /** @param {number[]} beats Seconds. @param {number[]} downbeats Seconds; these are accented. */
  setBeats(beats, downbeats) {
    this.#link.tell({ beats: marks(beats, downbeats, this.sampleRate) });
  }

  /**
   * The loudest sample of each lane, left and right, since this was last asked; `master` is that of the output.
   * @returns {Record<string, [number, number]>}
   */
  levels() {
    const names = ["master", ...this.#lanes.map(({ name }) => name)];
    const found = Object.fromEntries(names.map((name) => [name, this.#levels.get(name) ?? [0, 0]]));
    this.#levels.clear();
    return /** @type {Record<string, [number, number]>} */ (found);
  }

  /** Resolves when all that was asked of it is done, and the audio near the playhead is there. */
  async settled() {
    await this.ready;
    await this.#stretching;
    await this.#link.answer();
    this.#aim();
    await this.#chunks.settled();
    await this.#link.answer();
  }

  /** Give everything back; it can't be used again. */
  close() {
    this.#closed = true;
    this.#playing = false;
    this.#stall.close();
    this.#chunks.close();
    this.#link.close();
  }

  /** @param {import("./protocol.js").Report} report */
  #take(report) {
    this.#lanes.forEach(({ name }, i) => this.#raise(name, report.peaks[2 * i], report.peaks[2 * i + 1]));
    this.#raise("master", report.master[0], report.master[1]);
    if (report.epoch !== this.#epoch) return;
    const sounding = report.sounding && this.#playing;
    this.#clock.take({ ...report, sounding });
    this.#aim();
    const changed = sounding !== this.#sounding;
    this.#sounding = sounding;
    if (changed) this.#stall.waits(this.buffering);
    if (changed && this.#playing) this.#send("state");
    if (report.ended && this.#playing) {
      this.pause();
      this.#send("ended");
    }
    this.#send("time");
  }

  /** @param {string} name @param {number} left @param {number} right */
  #raise(name, left, right) {
    const [wasLeft, wasRight] = this.#levels.get(name) ?? [0, 0];
    this.#levels.set(name, [Math.max(wasLeft, left), Math.max(wasRight, right)]);
  }

  #aim() {
    if (!this.#closed) this.#chunks.aim(this.#clock.frame, this.#loop, this.#playing);
  }

  #mix() {
    const next = gains(this.#lanes, this.#settings, this.#group);
    if (next.every((gain, i) => gain === this.#gains[i])) return;
    const cut = next.some((gain, i) => (gain === 0) !== (this.#gains[i] === 0));
    this.#gains = next;
    this.#link.tell({ gains: next, cut });
  }

  /** @param {number} speed @param {number} semitones */
  #stretch(speed, semitones) {
    if (speed === this.#speed && semitones === this.#pitch) return;
    this.#speed = speed;
    this.#pitch = semitones;
    this.#stretching = this.#link.stretcher().then(() => {
      this.#link.tell({ stretch: { speed: this.#speed, semitones: this.#pitch } });
    });
  }

  /** @param {string} message A sentence. */
  #fail(message) {
    if (this.#closed) return;
    this.pause();
    this.dispatchEvent(new CustomEvent("fault", { detail: { message } }));
  }

  /** @param {number} seconds @returns {number} The frame, within the track. */
  #place(seconds) {
    return Math.max(0, Math.min(this.frames, Math.round(seconds * this.sampleRate)));
  }

  /** @param {{ start: number, end: number }} loop Seconds. */
  #frames(loop) {
    const shortest = Math.min(this.frames, Math.round(SHORTEST * this.sampleRate));
    const start = Math.min(this.#place(loop.start), this.frames - shortest);
    return { start, end: Math.max(this.#place(loop.end), start + shortest) };
  }

  /** @param {string} event */
  #send(event) {
    this.dispatchEvent(new Event(event));
  }
}
