/** The engine's link to its audio thread: opened by itself, closed with all that it opened. */
import { SoundError, loadStretcher, makeNode, openContext, wake } from "./context.js";

/** Milliseconds of rest after which the audio output is given back. */
const IDLE = 10_000;

const NO_STRETCHER = "The browser could not load what changes speed and pitch. Set them back, or reload the page.";
const BROKEN = "The browser's audio stopped with an error. Reload the page.";

export class Link {
  /** @type {BaseAudioContext | null} */
  context = null;
  #ours;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  #closed = false;
  /** @type {[import("./protocol.js").Told, ArrayBufferLike[]][]} What was told before the audio thread was there. */
  #early = [];
  #asked = 0;
  /** @type {Map<number, () => void>} */
  #answers = new Map();
  /** @type {Promise<void> | null} */
  #stretcher = null;
  /** @type {(() => void) | null} */
  #onStretcher = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle;

  /**
   * @param {object} given
   * @param {number} given.sampleRate
   * @param {BaseAudioContext} [given.context] Without it, it opens one.
   * @param {import("./protocol.js").Options} given.options
   * @param {(report: import("./protocol.js").Report) => void} given.onReport
   * @param {(sentence: string) => void} given.onFault
   * @param {() => void} given.onTaken The system took the output away: a phone call, a device that went.
   */
  constructor({ sampleRate, context, options, onReport, onFault, onTaken }) {
    this.onReport = onReport;
    this.onFault = onFault;
    this.onTaken = onTaken;
    this.#ours = !context;
    /** Why nothing will ever sound. */
    this.broken = "";
    /** @type {Promise<void>} */
    this.ready = this.#open(sampleRate, context, options).catch((error) => {
      this.broken = sentence(error);
      this.#early = [];
      this.onFault(this.broken);
    });
  }

  /** @param {import("./protocol.js").Told} message @param {ArrayBufferLike[]} [transfer] */
  tell(message, transfer = []) {
    if (this.#closed || this.broken) return;
    if (this.#node) this.#node.port.postMessage(message, /** @type {ArrayBuffer[]} */ (transfer));
    else this.#early.push([message, transfer]);
  }

  /** Resolves when the audio thread has done all that it was told, and reported. @returns {Promise<void>} */
  answer() {
    if (!this.#node || this.#closed) return Promise.resolve();
    const ask = this.#asked++;
    return new Promise((resolve) => {
      this.#answers.set(ask, resolve);
      this.tell({ ask });
    });
  }

  /** Let it sound; to be called while a click is being handled. Rejects with a `SoundError`. */
  async wake() {
    clearTimeout(this.#idle);
    if (this.context) await wake(this.context);
    await this.ready;
    if (this.broken) throw new SoundError(this.broken);
  }

  /** Give the output back, unless it wakes again soon. */
  rest() {
    clearTimeout(this.#idle);
    const { context } = this;
    if (!this.#ours || this.#closed || !(context instanceof AudioContext)) return;
    this.#idle = setTimeout(() => void context.suspend().catch(() => {}), IDLE);
  }

  /** Resolves once the audio thread has a stretcher. */
  stretcher() {
    this.#stretcher ??= this.#makeStretcher();
    return this.#stretcher;
  }

  close() {
    if (this.#closed) return;
    clearTimeout(this.#idle);
    this.tell({ close: true });
    this.#closed = true;
    for (const resolve of this.#answers.values()) resolve();
    this.#onStretcher?.();
    this.#release();
  }

  /** @param {number} sampleRate @param {BaseAudioContext | undefined} given @param {import("./protocol.js").Options} options */
  async #open(sampleRate, given, options) {
    const context = given ?? openContext(sampleRate);
    this.context = context;
    const node = await makeNode(context, options);
    this.#node = node;
    if (this.#closed) return this.#release();
    node.port.onmessage = ({ data }) => this.#take(data);
    node.onprocessorerror = () => this.onFault(BROKEN);
    if (this.#ours) {
      context.onstatechange = () => {
        if (context.state !== "running") this.onTaken();
      };
    }
    const { port1, port2 } = new MessageChannel();
    port2.close();
    node.port.postMessage({ nowhere: port1 }, [port1]);
    for (const [message, transfer] of this.#early.splice(0)) this.tell(message, transfer);
  }

  /** @param {import("./protocol.js").Report} report */
  #take(report) {
    if (this.#closed) return;
    if (report.loaded) this.#onStretcher?.();
    this.onReport(report);
    if (report.answer === undefined) return;
    this.#answers.get(report.answer)?.();
    this.#answers.delete(report.answer);
  }

  async #makeStretcher() {
    await this.ready;
    if (!this.context || this.broken || this.#closed) return;
    try {
      await loadStretcher(this.context);
    } catch {
      this.#stretcher = null;
      this.onFault(NO_STRETCHER);
      return;
    }
    await new Promise((/** @type {(value: void) => void} */ resolve) => {
      this.#onStretcher = resolve;
      this.tell({ load: true });
    });
  }

  #release() {
    const { context } = this;
    this.context = null;
    if (this.#node) {
      this.#node.port.onmessage = null;
      this.#node.onprocessorerror = null;
      this.#node.disconnect();
      this.#node = null;
    }
    if (!this.#ours || !(context instanceof AudioContext)) return;
    context.onstatechange = null;
    if (context.state !== "closed") void context.close();
  }
}

/** @param {unknown} error */
export function sentence(error) {
  return error instanceof SoundError ? error.message : BROKEN;
}
