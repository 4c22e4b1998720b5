/**
 * What a session has in common with Python, and through it with other pages that show the same player.
 *
 * Sound comes only from the page that the trait `page` names; other pages follow its playhead, and press its pause.
 */
import { PAGE } from "../lib/channel.js";

/** Milliseconds between two reports of the time. */
const REPORT = 250;
/** A page that says it plays and reports no time for so many milliseconds is gone. */
const SILENT = 1500;

const CLICK_FIRST = "The browser lets a page sound only after a click in it: press play here once.";

export class Shared {
  /** @param {import("../lib/channel.js").Model} model @param {import("./session.js").Session} session */
  constructor(model, session) {
    this.model = model;
    this.session = session;
    this.reported = { time: -1, at: 0 };
    /** @type {[string, () => void][]} */
    this.listening = [
      ["change:track", () => session.load()],
      ["change:mix", () => session.takeMix()],
      ["change:time", () => this.#takeTime()],
      ["change:playing", () => this.#takePlaying()],
      ["change:page", () => this.#takePage()],
      ["change:cues", () => session.tell("cues")],
      ["change:revision", () => session.analyse()],
      ["change:fault", () => this.#takeFault()],
    ];
    for (const [event, listener] of this.listening) model.on(event, listener);
    if (!model.get("page") || !model.get("playing")) this.claim();
    else this.outlived = setTimeout(() => this.claim(), SILENT);
  }

  /** Whether this page is the one that sounds. */
  get ours() {
    return this.model.get("page") === PAGE;
  }

  get time() {
    return this.model.get("time") ?? 0;
  }

  get playing() {
    return Boolean(this.model.get("playing"));
  }

  /** Make this page the one that sounds. */
  claim() {
    if (this.ours) return;
    this.model.set("page", PAGE);
    this.model.set("playing", false);
    this.model.save_changes();
  }

  /** Say that nothing plays any more, whichever page it was. */
  silence() {
    if (!this.playing) return;
    this.model.set("playing", false);
    this.model.save_changes();
  }

  /** @param {number} time */
  report(time) {
    this.reported = { time, at: performance.now() };
    this.model.set("time", time);
    this.model.save_changes();
  }

  /** Report a time that goes on by itself, now and then. @param {number} time @param {boolean} playing */
  follow(time, playing) {
    if (this.ours && (!playing || performance.now() - this.reported.at >= REPORT)) this.report(time);
  }

  /** @param {boolean} playing @param {number} time */
  state(playing, time) {
    if (!this.ours) return;
    this.model.set("playing", playing);
    this.report(time);
  }

  close() {
    clearTimeout(this.outlived);
    for (const [event, listener] of this.listening) this.model.off(event, listener);
  }

  #takeTime() {
    if (this.time === this.reported.time) return;
    if (this.ours) this.session.engine?.seek(this.time);
    else clearTimeout(this.outlived);
    this.session.tell("time");
  }

  #takePlaying() {
    const { session } = this;
    if (this.ours && this.playing !== Boolean(session.engine?.playing)) {
      if (!this.playing) session.pause();
      else if (navigator.userActivation?.hasBeenActive === false) {
        this.silence();
        session.fail(CLICK_FIRST, null);
      } else if (!session.starting) void session.play();
    }
    session.tell("state");
  }

  #takePage() {
    if (!this.ours) this.session.engine?.pause();
    this.session.tell("state");
  }

  #takeFault() {
    const message = this.model.get("fault");
    if (message) this.session.fail(message, () => this.session.retry());
  }
}
