import { h } from "../lib/dom.js";

/** Asks when nothing has been heard for a while, and says so where there is no answer: nothing waits for ever. */
export class Silence {
  #heard = Date.now();
  #asking = false;

  /**
   * @param {object} given
   * @param {() => Promise<unknown>} given.ask Asks how things are; rejects where there is no answer.
   * @param {() => boolean} given.waiting Whether there is news to wait for.
   * @param {number} [given.seconds]
   */
  constructor({ ask, waiting, seconds = 15 }) {
    this.ask = ask;
    this.waiting = waiting;
    this.message = h("span");
    this.button = h("button", { onclick: () => this.#try() }, "Ask again");
    this.element = h("div", { class: "sf-notice sf-row sf-silence", role: "status", hidden: true }, this.message, this.button);
    this.online = () => this.element.hidden || this.#try();
    addEventListener("online", this.online);
    this.timer = setInterval(() => {
      if (this.waiting() && !this.#asking && this.element.hidden && Date.now() - this.#heard > seconds * 1000) this.#try();
    }, 1000);
  }

  /** Something was heard. */
  heard() {
    this.#heard = Date.now();
    this.element.hidden = true;
  }

  /** @param {string} message */
  say(message) {
    this.message.textContent = message;
    this.element.hidden = false;
  }

  close() {
    clearInterval(this.timer);
    removeEventListener("online", this.online);
  }

  async #try() {
    this.#asking = true;
    this.button.disabled = true;
    try {
      await this.ask();
      this.heard();
    } catch (error) {
      const { code, message } = /** @type {import("../lib/channel.js").AskError} */ (error);
      this.say(code === "no_answer" ? `${message} The job itself goes on.` : message);
    }
    this.button.disabled = false;
    this.#asking = false;
  }
}
