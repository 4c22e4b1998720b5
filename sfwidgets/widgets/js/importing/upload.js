const CHUNK = 1 << 20;
const IN_FLIGHT = 3;
const ATTEMPTS = 4;

/** @typedef {import("../lib/channel.js").AskError} AskError */

/** One file on its way to Python, in chunks of which a few are under way at once; a chunk that gets lost is sent again. */
export class Upload {
  /** @type {[number, number][]} When how many bytes were there: for the speed. */
  #samples = [];
  #cancelled = false;
  key = "";
  sent = 0;
  trouble = "";

  /**
   * @param {import("../lib/channel.js").Channel} channel
   * @param {File} file
   * @param {() => void} changed
   */
  constructor(channel, file, changed) {
    this.channel = channel;
    this.file = file;
    this.changed = changed;
  }

  /** Bytes a second, lately; 0 where that can't be told yet. */
  get speed() {
    const [first, last] = [this.#samples[0], this.#samples[this.#samples.length - 1]];
    return first && last[0] > first[0] ? ((last[1] - first[1]) * 1000) / (last[0] - first[0]) : 0;
  }

  /**
   * Send the file and have it added; resolves to what Python's `answer_finish` gives, or null where it was cancelled.
   * @param {object} settings
   */
  async run(settings) {
    const begun = await this.channel.ask("begin", { name: this.file.name, size: this.file.size, settings });
    this.key = begun.value.upload;
    try {
      let next = 0;
      const lane = async () => {
        while (next < this.file.size && !this.#cancelled) {
          const offset = next;
          next = Math.min(next + CHUNK, this.file.size);
          await this.#send(offset, next);
        }
      };
      this.#sample();
      await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
      if (this.#cancelled) return null;
      return (await this.channel.ask("finish", { upload: this.key }, { patience: 900 })).value;
    } catch (error) {
      const cancelled = this.#cancelled;
      this.cancel();
      if (cancelled) return null;
      throw error;
    }
  }

  cancel() {
    if (this.#cancelled) return;
    this.#cancelled = true;
    if (this.key) this.channel.ask("abort", { upload: this.key }).catch(() => {});
  }

  /** @param {number} offset @param {number} end */
  async #send(offset, end) {
    const bytes = await this.file.slice(offset, end).arrayBuffer();
    for (let attempt = 1; !this.#cancelled; attempt += 1) {
      try {
        await this.channel.ask("chunk", { upload: this.key, offset }, { buffers: [bytes], patience: 20 });
        this.sent += end - offset;
        this.trouble = "";
        this.#sample();
        return;
      } catch (error) {
        const { code } = /** @type {AskError} */ (error);
        if (attempt === ATTEMPTS || (code !== "no_answer" && code !== "internal")) throw error;
        this.trouble = `No answer; trying again (${attempt + 1} of ${ATTEMPTS})`;
        this.changed();
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
      }
    }
  }

  #sample() {
    const now = performance.now();
    this.#samples.push([now, this.sent]);
    while (this.#samples.length > 2 && now - this.#samples[0][0] > 4000) this.#samples.shift();
    this.changed();
  }
}

/** Runs a few things at once, and the others in their turn. */
export class Turns {
  /** @type {(() => Promise<void>)[]} */
  #waiting = [];
  #running = 0;

  /** @param {number} atOnce */
  constructor(atOnce) {
    this.atOnce = atOnce;
  }

  /** @param {() => Promise<void>} act */
  add(act) {
    this.#waiting.push(act);
    this.#next();
  }

  #next() {
    while (this.#running < this.atOnce && this.#waiting.length) {
      const act = /** @type {() => Promise<void>} */ (this.#waiting.shift());
      this.#running += 1;
      act().finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }
}
