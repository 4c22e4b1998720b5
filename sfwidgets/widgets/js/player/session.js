/**
 * One player of this page: its engine, its mix and its track. Views draw it and press its buttons; there may be several.
 *
 * Events: `track`, `analysis`, `peaks`, `mix`, `cues`, `time`, `state` (playing, starting or preparing changed), `fault`.
 */
import { Engine } from "../engine/engine.js";
import { soundAlone } from "../lib/players.js";
import { laneOf, plainMix } from "./mix.js";
import { twoBars } from "./musical.js";
import { pyramid } from "./pyramid.js";
import { Shared } from "./shared.js";

/** Milliseconds before a change of the mix is written back. */
const WRITE = 150;
/** Milliseconds that nobody needs to be told of when a track is opened. */
const SOON = 800;

const NOT_LOADED = "The player could not be loaded.";

export class Session extends EventTarget {
  /** @param {import("../lib/channel.js").Model} model @param {import("./backing.js").Backing} backing */
  constructor(model, backing) {
    super();
    this.model = model;
    this.backing = backing;
    this.mix = plainMix();
    /** @type {Engine | null} */
    this.engine = null;
    /** @type {import("./musical.js").Analysis | null} */
    this.analysis = null;
    this.analysed = false;
    /** @type {Map<string, import("./pyramid.js").Pyramid>} */
    this.peaks = new Map();
    /** @type {{ message: string, retry: (() => void) | null } | null} */
    this.fault = null;
    /** @type {import("./musical.js").Snap} */
    this.snap = "beat";
    /** The loop that L brings back. @type {import("./mix.js").Loop | null} */
    this.lastLoop = null;
    this.starting = false;
    /** Whether play was pressed last, rather than pause. */
    this.pressed = false;
    /** Whether the audio keeps one waiting. */
    this.preparing = false;
    /** @type {((mix: import("./mix.js").Mix) => void)[]} Changes that Python has not been told of. */
    this.unwritten = [];
    this.generation = 0;
    this.shared = new Shared(model, this);
    this.load();
  }

  /** @returns {import("./backing.js").Track} */
  get track() {
    return this.model.get("track");
  }

  /** @returns {import("./musical.js").Cue[]} */
  get cues() {
    return this.model.get("cues") ?? [];
  }

  get stems() {
    return this.track.lanes.filter((lane) => lane.group === "stems");
  }

  get duration() {
    return this.engine?.duration ?? this.track.duration;
  }

  get time() {
    return this.shared.ours && this.engine ? this.engine.time : this.shared.time;
  }

  get playing() {
    return this.shared.ours && this.engine ? this.engine.playing : this.shared.playing;
  }

  /** Begin with the track that the model names, anew. */
  load() {
    const generation = ++this.generation;
    this.engine?.close();
    this.engine = null;
    this.peaks = new Map();
    this.analysis = null;
    this.analysed = false;
    this.fault = null;
    this.starting = false;
    this.preparing = false;
    this.unwritten = [];
    this.mix = { ...plainMix(), ...this.model.get("mix") };
    this.lastLoop = this.mix.loop;
    if (this.shared.ours) this.shared.silence();
    this.tell("track");
    this.failed = false;
    this.loading = this.#fetch(generation).catch((error) => {
      if (generation !== this.generation) return;
      this.failed = true;
      this.fail(error.message || NOT_LOADED, () => this.retry());
    });
  }

  /** Begin anew with the same track, after a fault. */
  retry() {
    this.write();
    this.load();
  }

  /** @param {number} generation */
  async #fetch(generation) {
    const stale = () => generation !== this.generation;
    const slow = setTimeout(() => this.#prepare(!stale() && !this.engine), SOON);
    const outlines = ["mixture", ...this.stems.map((lane) => lane.name)].map(async (lane) => {
      const found = await this.backing.peaks(lane);
      if (stale() || !found) return;
      this.peaks.set(lane, pyramid(found.pairs, found.samplesPerPixel, found.sampleRate));
      this.tell("peaks");
    });
    const sound = this.backing.source().then((source) => (stale() ? undefined : this.#open(source))).finally(() => {
      clearTimeout(slow);
      if (!stale()) this.#prepare(false);
    });
    await Promise.all([sound, this.analyse(), ...outlines]);
  }

  /** @param {boolean} preparing */
  #prepare(preparing) {
    if (this.preparing === preparing) return;
    this.preparing = preparing;
    this.tell("state");
  }

  /** Read the analysis, anew where there was one. */
  async analyse() {
    const { generation } = this;
    try {
      const found = await this.backing.analysis();
      if (generation !== this.generation) return;
      this.analysis = found;
      this.analysed = true;
      this.engine?.setBeats(found?.beats ?? [], found?.downbeats ?? []);
      this.tell("analysis");
    } catch (error) {
      if (generation === this.generation) this.fail(/** @type {Error} */ (error).message, () => this.retry());
    }
  }

  /** @param {Awaited<ReturnType<import("./backing.js").Backing["source"]>>} source */
  async #open(source) {
    const { track } = this;
    const engine = new Engine({
      source,
      sampleRate: source.sampleRate ?? track.sampleRate,
      frames: source.frames ?? track.frames,
      lanes: track.lanes.map(({ name, group }) => ({ name, group })),
      beats: this.analysis?.beats,
      downbeats: this.analysis?.downbeats,
    });
    this.engine = engine;
    soundAlone(engine);
    engine.addEventListener("time", () => {
      this.shared.follow(this.time, this.playing);
      this.tell("time");
    });
    engine.addEventListener("state", () => this.#state());
    engine.addEventListener("ended", () => this.#state());
    engine.addEventListener("fault", (event) => {
      this.fail(/** @type {CustomEvent} */ (event).detail.message, () => (this.pressed ? void this.play() : this.retry()));
    });
    engine.addEventListener("stall", (event) => {
      const { message } = /** @type {CustomEvent} */ (event).detail;
      if (message) this.fail(message, () => void this.play());
      else this.clearFault();
    });
    this.#apply();
    if (this.shared.time > 0 && this.shared.time < engine.duration) engine.seek(this.shared.time);
    await engine.ready;
    if (this.engine === engine) this.tell("state");
  }

  /** The lanes' peaks since they were asked for last; the same for all that ask within a frame. */
  levels() {
    const now = performance.now();
    if (!this.heard || now - this.heard.at > 8) this.heard = { at: now, levels: (this.shared.ours && this.engine?.levels()) || {} };
    return this.heard.levels;
  }

  async play() {
    if (this.failed && !this.engine) this.retry();
    const { time, generation } = this;
    this.pressed = true;
    if (!this.shared.ours) {
      this.shared.claim();
      this.engine?.seek(time);
    }
    this.clearFault();
    this.starting = true;
    this.tell("state");
    if (!this.engine) await this.loading;
    if (generation !== this.generation) return;
    if (this.pressed) await this.engine?.play();
    this.starting = false;
    this.#state();
  }

  pause() {
    this.pressed = false;
    this.engine?.pause();
    if (!this.shared.ours) this.shared.silence();
    else if (this.starting) this.#state();
  }

  toggle() {
    if (this.playing || this.starting) this.pause();
    else void this.play();
  }

  /** @param {number} seconds */
  seek(seconds) {
    const time = Math.min(this.duration, Math.max(0, seconds));
    if (this.shared.ours) this.engine?.seek(time);
    this.shared.report(time);
    this.tell("time");
  }

  /** Change the mix; Python is told a moment later. @param {(mix: import("./mix.js").Mix) => void} change */
  change(change) {
    this.mix = structuredClone(this.mix);
    change(this.mix);
    this.unwritten.push(change);
    clearTimeout(this.writing);
    this.writing = setTimeout(() => this.write(), WRITE);
    this.#apply();
    this.tell("mix");
  }

  /** Take the mix as Python, or another page, says it, and what was changed here meanwhile. */
  takeMix() {
    const said = this.model.get("mix");
    if (said === this.mix) return;
    this.mix = structuredClone({ ...plainMix(), ...said });
    for (const change of this.unwritten) change(this.mix);
    this.lastLoop = this.mix.loop ?? this.lastLoop;
    this.#apply();
    this.tell("mix");
  }

  /** Tell Python of the mix now. */
  write() {
    clearTimeout(this.writing);
    if (!this.unwritten.length) return;
    this.unwritten = [];
    this.model.set("mix", this.mix);
    this.model.save_changes();
  }

  /** @param {string} name @param {Partial<import("./mix.js").Lane>} settings */
  setLane(name, settings) {
    this.change((mix) => void (mix.lanes[name] = { ...laneOf(mix, name), ...settings }));
  }

  /** @param {{ start: number, end: number, label?: string } | null} loop */
  setLoop(loop) {
    const chosen = loop && { start: loop.start, end: loop.end, label: loop.label ?? "" };
    if (chosen && chosen.end - chosen.start < 0.05) return;
    this.lastLoop = chosen ?? this.mix.loop ?? this.lastLoop;
    this.change((mix) => void (mix.loop = chosen));
  }

  /** Loop what was looped last, or the two bars at the playhead; or no longer. */
  toggleLoop() {
    this.setLoop(this.mix.loop ? null : this.lastLoop ?? twoBars(this.analysis, this.time, this.duration));
  }

  clearLoop() {
    if (this.mix.loop) this.setLoop(null);
    this.lastLoop = null;
    this.tell("mix");
  }

  /** @param {import("./musical.js").Cue[]} cues */
  async setCues(cues) {
    const before = this.cues;
    this.model.set("cues", [...cues].sort((a, b) => a.time - b.time));
    try {
      await this.backing.saveCues?.(this.cues);
    } catch (error) {
      this.model.set("cues", before);
      this.fail(/** @type {Error} */ (error).message, null);
    }
  }

  /** @param {import("./musical.js").Snap} snap */
  setSnap(snap) {
    this.snap = snap;
    this.tell("mix");
  }

  /** @param {string} message @param {(() => void) | null} retry */
  fail(message, retry) {
    this.fault = { message, retry };
    this.tell("fault");
  }

  clearFault() {
    if (!this.fault) return;
    this.fault = null;
    this.tell("fault");
  }

  /** @param {string} event */
  tell(event) {
    this.dispatchEvent(new Event(event));
  }

  close() {
    this.generation++;
    this.write();
    this.shared.close();
    this.engine?.close();
    this.engine = null;
    this.backing.close?.();
  }

  #state() {
    this.shared.state(this.playing, this.time);
    this.tell("state");
  }

  #apply() {
    const { engine, mix } = this;
    if (!engine) return;
    for (const { name } of this.stems) engine.setLane(name, laneOf(mix, name));
    engine.setVolume(mix.volume);
    engine.setSpeed(mix.speed);
    engine.setPitch(mix.pitch);
    engine.setGroup(this.stems.length ? mix.source : "mixture");
    engine.setClick(mix.click, mix.clickVolume);
    engine.setLoop(mix.loop);
  }
}
