/**
 * The audio thread's part: one processor that holds the audio of all lanes near the playhead, and gives their mix.
 * What it is told and what it reports is in protocol.js.
 */
import { Click } from "./click.js";
import { Fade } from "./fade.js";
import { Mixer, RAMP } from "./mixer.js";
import { Plain, Stretched } from "./paths.js";
import { FADE, Reader } from "./reader.js";
import { scope } from "./scope.js";

/** Seconds of audio that must be here before sound begins, so that it does not stop again at once. */
const AHEAD = 0.25;
/** Frames between two reports while it plays. */
const REPORT = 1024;
/** The most by which the master volume changes from one frame to the next. */
const SLOPE = 1 / RAMP;

class Player extends scope.AudioWorkletProcessor {
  /** @param {{ processorOptions: import("./protocol.js").Options }} options */
  constructor({ processorOptions: { lanes, frames, chunk } }) {
    super();
    this.frames = frames;
    this.mixer = new Mixer(lanes, frames, chunk);
    this.reader = new Reader(this.mixer);
    this.plain = new Plain(this.reader);
    /** @type {Stretched | null} */
    this.stretched = null;
    /** @type {import("./paths.js").Path} */
    this.path = this.plain;
    this.click = new Click(scope.sampleRate);
    this.fade = new Fade();
    this.volume = 1;
    this.volumeTarget = 1;
    this.master = new Float32Array(2);
    this.playing = false;
    /** Whether the path runs: not while audio is waited for. */
    this.sounding = false;
    /** Where it stands while it does not sound. */
    this.position = 0;
    this.epoch = 0;
    this.sinceReport = 0;
    this.reported = false;
    this.closed = false;
    /** @type {MessagePort | null} A port that nobody listens to. */
    this.nowhere = null;
    this.port.onmessage = ({ data }) => this.#hear(data);
  }

  /** @param {import("./protocol.js").Told} told */
  #hear(told) {
    if (told.put) this.mixer.put(told.put.index, told.put.lanes);
    if (told.nowhere) this.nowhere = told.nowhere;
    if (told.drop) this.#drop(told.drop);
    if (told.gains) {
      if (told.cut && this.path === this.stretched) this.#cut();
      this.mixer.setGains(told.gains, !this.sounding);
    }
    if (told.volume !== undefined) this.#setVolume(told.volume);
    if (told.click !== undefined) this.click.volume = told.click;
    if (told.beats) this.click.set(told.beats.frames, told.beats.accents);
    if (told.loop !== undefined) {
      if (this.path === this.stretched) this.#cut();
      this.reader.loop = told.loop;
    }
    if (told.stretch) this.#stretch(told.stretch);
    if (told.seek) {
      this.#cut();
      this.position = Math.min(told.seek.frame, this.frames);
      this.epoch = told.seek.epoch;
      this.sinceReport = REPORT;
    }
    if (told.playing !== undefined && told.playing !== this.playing) {
      this.#cut();
      this.playing = told.playing;
    }
    if (told.load) this.#load();
    if (told.close) {
      this.closed = true;
      this.#drop([...this.mixer.chunks.keys()]);
      return;
    }
    if (told.ask !== undefined) this.#report({ answer: told.ask });
  }

  /**
   * Forget chunks, and give their memory away: this thread makes so little garbage that its collector hardly ever comes.
   * @param {number[]} indices
   */
  #drop(indices) {
    const buffers = indices.flatMap((index) => this.mixer.drop(index));
    this.nowhere?.postMessage(null, /** @type {ArrayBuffer[]} */ (buffers));
  }

  async #load() {
    const make = scope.sfMakeStretcher;
    if (make) this.stretched = new Stretched(this.reader, await make());
    this.#report({ loaded: true });
  }

  /** @param {number} volume */
  #setVolume(volume) {
    this.volumeTarget = volume;
    if (!this.sounding) this.volume = volume;
  }

  /** @param {{ speed: number, semitones: number }} stretch */
  #stretch({ speed, semitones }) {
    if (!this.stretched) return;
    const path = speed === 1 && semitones === 0 ? this.plain : this.stretched;
    if (path !== this.path) this.#cut();
    this.stretched.set(speed, semitones);
    this.path = path;
  }

  /** Stop the path where it is; what it would have played next dies away. */
  #cut() {
    if (!this.sounding) return;
    this.position = this.path.position;
    this.fade.leave(this.path);
    this.sounding = false;
  }

  /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs */
  process(_inputs, [[left, right]]) {
    if (this.closed) return false;
    const count = left.length;
    let ended = false;
    if (this.sounding && !this.path.goesOn(count + 2 * FADE)) this.#cut();
    if (!this.sounding && this.playing && this.path.has(this.position, AHEAD * scope.sampleRate)) {
      this.path.start(this.position);
      this.sounding = true;
    }
    if (this.sounding) {
      ended = this.#sound(left, right, count);
    } else {
      left.fill(0);
      right.fill(0);
    }
    this.fade.add(left, right);
    this.click.add(left, right);
    this.#finish(left, right, count);
    this.sinceReport += count;
    if (ended || this.reported !== this.sounding || (this.sounding && this.sinceReport >= REPORT)) this.#report({ ended, passed: count });
    return true;
  }

  /** @param {Float32Array} left @param {Float32Array} right @param {number} count @returns {boolean} Whether the track ended. */
  #sound(left, right, count) {
    const { path, reader: { loop } } = this;
    const before = path.position;
    path.read(left, right, count);
    this.fade.enter(left, right);
    const after = path.position;
    if (loop && after < before) {
      this.click.pass(before, loop.end, 0, path.rate);
      this.click.pass(loop.start, after, (loop.end - before) / path.rate, path.rate);
    } else {
      this.click.pass(before, after, 0, path.rate);
    }
    if (after < this.frames) return false;
    this.position = this.frames;
    this.sounding = false;
    this.playing = false;
    this.fade.risen = 0;
    return true;
  }

  /** @param {Float32Array} left @param {Float32Array} right @param {number} count */
  #finish(left, right, count) {
    for (let i = 0; i < count; i++) {
      if (this.volume !== this.volumeTarget) {
        const gap = this.volumeTarget - this.volume;
        this.volume = Math.abs(gap) < SLOPE ? this.volumeTarget : this.volume + Math.sign(gap) * SLOPE;
      }
      left[i] *= this.volume;
      right[i] *= this.volume;
      this.master[0] = Math.max(this.master[0], Math.abs(left[i]));
      this.master[1] = Math.max(this.master[1], Math.abs(right[i]));
    }
  }

  /** @param {{ answer?: number, loaded?: boolean, ended?: boolean, passed?: number }} [more] */
  #report({ answer, loaded, ended = false, passed = 0 } = {}) {
    this.sinceReport = 0;
    this.reported = this.sounding;
    /** @type {import("./protocol.js").Report} */
    const report = {
      epoch: this.epoch,
      frame: this.sounding ? this.path.position : this.position,
      time: scope.currentTime + passed / scope.sampleRate,
      rate: this.path.rate,
      sounding: this.sounding,
      playing: this.playing,
      ended,
      peaks: this.mixer.peaks.slice(),
      master: this.master.slice(),
      answer,
      loaded,
    };
    this.mixer.peaks.fill(0);
    this.master.fill(0);
    this.port.postMessage(report);
  }
}

scope.registerProcessor("sf-player", Player);
