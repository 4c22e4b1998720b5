import { h } from "../lib/dom.js";

const SECONDS = 10;

/** Says what was deleted, and has it back; goes by itself, but not while somebody points at it. */
export class Undo {
  /** @type {{ id: string, title: string }[]} */
  #gone = [];
  #left = 0;

  /** @param {(ids: string[]) => Promise<boolean>} restore Resolves to whether that worked. */
  constructor(restore) {
    this.restore = restore;
    this.message = h("span");
    this.button = h("button", { onclick: () => this.undo() }, "Undo");
    this.element = h("div", { class: "sf-notice sf-row sf-undo", role: "status", hidden: true }, this.message, this.button);
    this.timer = setInterval(() => {
      if (this.element.hidden || this.element.matches(":hover") || this.element.contains(document.activeElement)) return;
      this.#left -= 1;
      if (this.#left <= 0) this.#end();
    }, 1000);
  }

  close() {
    clearInterval(this.timer);
  }

  /** @param {{ id: string, title: string }} track */
  add(track) {
    this.#gone.push(track);
    this.#left = SECONDS;
    this.message.textContent = this.#gone.length === 1 ? `Deleted “${track.title}”` : `Deleted ${this.#gone.length} tracks`;
    this.element.hidden = false;
  }

  async undo() {
    if (!this.#gone.length) return;
    this.button.disabled = true;
    if (await this.restore(this.#gone.map(({ id }) => id))) this.#end();
    this.button.disabled = false;
  }

  #end() {
    this.#gone = [];
    this.element.hidden = true;
  }
}
