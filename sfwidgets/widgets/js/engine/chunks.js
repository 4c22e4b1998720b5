/**
 * Fetches the chunks near the playhead, hands them to the audio thread, and says which it may forget.
 *
 * A chunk is all lanes of one stretch of time, so that what is there is there for every lane.
 */
import { AskError } from "../lib/channel.js";
import { plan } from "./plan.js";

/** Bytes of audio held at most, whatever the number of lanes. */
const ROOM = 48e6;
/** Chunks behind the playhead, and those that a loop may need besides. */
const BEHIND = 4;
const SPARE = 4;
/** Chunks fetched before anyone presses play: what starts at once. */
const FIRST = 3;
/** Chunks in flight at a time, each one read a lane. */
const FLYING = 2;
const RETRIES = [300, 1200];

const UNREAD = "The audio could not be read. Check the connection to the server, then press play again.";
const SHORT = "The audio ends before its track does. Its stems may have been replaced: reload the page.";

export class Chunks {
  /**
   * @param {object} given
   * @param {import("./sources.js").Source} given.source
   * @param {string[]} given.lanes
   * @param {number} given.frames
   * @param {number} given.chunk Frames in a chunk.
   * @param {(index: number, lanes: Int16Array<ArrayBuffer>[]) => void} given.put
   * @param {(indices: number[]) => void} given.drop
   * @param {(sentence: string, code: string) => void} given.failed After the last retry; nothing is fetched until `retry`.
   */
  constructor({ source, lanes, frames, chunk, put, drop, failed }) {
    this.source = source;
    this.lanes = lanes;
    this.frames = frames;
    this.chunk = chunk;
    this.put = put;
    this.drop = drop;
    this.failed = failed;
    this.most = Math.max(10, Math.min(64, Math.floor(ROOM / (lanes.length * chunk * 4))));
    /** @type {number[]} */
    this.wanted = [];
    /** @type {Map<number, number>} The bytes of each chunk that the audio thread holds. */
    this.resident = new Map();
    /** @type {Map<number, AbortController>} */
    this.flying = new Map();
    this.stopped = false;
    /** @type {(() => void)[]} */
    this.waiting = [];
  }

  /** Bytes that the audio thread holds. */
  get bytes() {
    return [...this.resident.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Hold what is needed from here on.
   * @param {number} frame @param {import("./reader.js").Loop} loop
   * @param {boolean} playing All that there is room for, not only the first chunks.
   */
  aim(frame, loop, playing) {
    const { frames, chunk } = this;
    const room = this.most - BEHIND - SPARE;
    this.wanted = plan({ frame, loop, frames, chunk, ahead: playing ? room : FIRST, behind: playing ? BEHIND : 0 });
    const held = playing ? this.wanted : plan({ frame, loop, frames, chunk, ahead: room, behind: BEHIND });
    const gone = [...this.resident.keys()].filter((index) => !held.includes(index));
    for (const index of gone) this.resident.delete(index);
    if (gone.length) this.drop(gone);
    for (const [index, abort] of this.flying) {
      if (this.wanted.includes(index)) continue;
      this.flying.delete(index);
      abort.abort();
    }
    this.#pump();
  }

  /** Try again after a failure. */
  retry() {
    this.stopped = false;
    this.#pump();
  }

  /** @returns {Promise<void>} Once all that is wanted is there, or can't be. */
  settled() {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.#pump();
    });
  }

  close() {
    this.stopped = true;
    for (const abort of this.flying.values()) abort.abort();
    this.flying.clear();
    this.resident.clear();
    this.#pump();
  }

  #pump() {
    const missing = this.wanted.filter((index) => !this.resident.has(index));
    for (const index of missing) {
      if (this.stopped || this.flying.size >= FLYING) break;
      if (!this.flying.has(index)) this.#fetch(index);
    }
    if (missing.length === 0 || this.stopped) for (const resolve of this.waiting.splice(0)) resolve();
  }

  /** @param {number} index */
  async #fetch(index) {
    const abort = new AbortController();
    this.flying.set(index, abort);
    try {
      const lanes = await this.#read(index, abort.signal);
      if (abort.signal.aborted) return;
      this.resident.set(index, lanes.reduce((sum, lane) => sum + lane.byteLength, 0));
      this.put(index, lanes);
    } catch (error) {
      if (abort.signal.aborted) return;
      this.flying.delete(index);
      if (this.stopped) return;
      this.stopped = true;
      if (error instanceof AskError) this.failed(error.message, error.code);
      else this.failed(UNREAD, "unread");
    }
    this.flying.delete(index);
    this.#pump();
  }

  /** @param {number} index @param {AbortSignal} signal @returns {Promise<Int16Array<ArrayBuffer>[]>} */
  async #read(index, signal) {
    const start = index * this.chunk;
    const count = Math.min(this.chunk, this.frames - start);
    for (let attempt = 0; ; attempt++) {
      try {
        const lanes = await Promise.all(this.lanes.map((lane) => this.source.read(lane, start, count, signal)));
        if (lanes.some((lane) => lane.length !== 2 * count)) throw new AskError(SHORT, "short");
        return lanes;
      } catch (error) {
        if (signal.aborted || attempt === RETRIES.length) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRIES[attempt]));
        if (signal.aborted) throw error;
      }
    }
  }
}
