/** One engine for both sides and the mixture: which side sounds, which stem of it, and from where. */
import { Engine } from "../engine/engine.js";
import { chooseSource } from "../engine/sources.js";
import { soundAlone } from "../lib/players.js";

/**
 * @typedef {"A" | "B" | "mixture"} Side
 * @typedef {{ name: string, group: string, stem: string, url?: string, etag?: string }} Lane
 * Events: `time`, `state`, `side`, `loop`, and the engine's `fault` and `stall`.
 */
export class Deck extends EventTarget {
  /** @param {import("../lib/channel.js").Channel} channel */
  constructor(channel) {
    super();
    this.channel = channel;
    /** @type {Engine | null} */
    this.engine = null;
    /** @type {Lane[]} */
    this.lanes = [];
    /** @type {Side} */
    this.side = "A";
    this.stem = "";
    /** @type {{ start: number, end: number } | null} */
    this.loop = null;
    this.loading = 0;
  }

  get time() {
    return this.engine?.time ?? 0;
  }

  get duration() {
    return this.engine?.duration ?? 0;
  }

  get playing() {
    return this.engine?.playing ?? false;
  }

  /** Play other lanes from now on, from the same place. @param {{ lanes: Lane[], sampleRate: number, frames: number }} given */
  async load({ lanes, sampleRate, frames }) {
    const mine = ++this.loading;
    const source = await chooseSource({ lanes }, this.channel);
    if (mine !== this.loading) return;
    const { time, playing } = this;
    this.engine?.close();
    this.lanes = lanes;
    const engine = new Engine({ lanes: lanes.map(({ name, group }) => ({ name, group })), sampleRate, frames, source });
    this.engine = engine;
    soundAlone(engine);
    for (const event of ["time", "state", "ended"]) engine.addEventListener(event, () => this.dispatchEvent(new Event(event === "ended" ? "state" : event)));
    for (const event of ["fault", "stall"]) engine.addEventListener(event, (told) => this.dispatchEvent(new CustomEvent(event, { detail: /** @type {CustomEvent} */ (told).detail })));
    this.#apply();
    if (this.loop && this.loop.end > engine.duration) this.loop = null;
    engine.setLoop(this.loop);
    if (time > 0) engine.seek(time);
    if (playing) await engine.play();
    this.dispatchEvent(new Event("state"));
  }

  toggle() {
    if (this.playing) this.engine?.pause();
    else void this.engine?.play();
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.engine?.seek(Math.min(this.duration, Math.max(0, seconds)));
  }

  /** @param {Side} side */
  choose(side) {
    this.side = side;
    this.#apply();
    this.dispatchEvent(new Event("side"));
  }

  /** @param {string} stem "" for all of them. */
  listenTo(stem) {
    this.stem = stem;
    this.#apply();
  }

  /** @param {{ start: number, end: number } | null} loop */
  setLoop(loop) {
    this.loop = loop;
    this.engine?.setLoop(loop);
    this.dispatchEvent(new Event("loop"));
  }

  /** Whether that side has something to hear of the chosen stem; the original has all. @param {string} side */
  has(side) {
    return this.lanes.some((lane) => lane.group === side && heard(lane, this.stem));
  }

  close() {
    this.loading++;
    this.engine?.close();
    this.engine = null;
  }

  #apply() {
    if (!this.engine) return;
    for (const lane of this.lanes) this.engine.setLane(lane.name, { muted: !heard(lane, this.stem) });
    this.engine.setGroup(this.side);
  }
}

/** @param {Lane} lane @param {string} stem */
const heard = (lane, stem) => stem === "" || lane.stem === stem || lane.stem === "mixture";
