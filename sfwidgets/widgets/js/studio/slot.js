import { h } from "../lib/dom.js";

/** @typedef {{ getWidget(ref: string): Promise<{ render(into: { el: HTMLElement, signal: AbortSignal }): Promise<void> }> }} Host What anywidget gives `render`. */

/** A place on the page for one widget, which may change. */
export class Slot {
  #ref = "";
  #ends = new AbortController();

  /** @param {string} name @param {Host} host */
  constructor(name, host) {
    this.element = h("div", { class: `sf-slot sf-slot-${name}`, hidden: true });
    this.host = host;
  }

  /** @param {string | undefined} ref A widget, as a trait refers to it; undefined for none. */
  async show(ref) {
    if ((ref ?? "") === this.#ref) return;
    this.clear();
    if (!ref) return;
    this.#ref = ref;
    const ends = this.#ends;
    try {
      const widget = await this.host.getWidget(ref);
      if (ends.signal.aborted) return;
      this.element.hidden = false;
      await widget.render({ el: this.element, signal: ends.signal });
    } catch (error) {
      if (ends.signal.aborted) return;
      console.error(error);
      this.element.hidden = false;
      this.element.replaceChildren(h("p", { class: "sf-fault" }, "This part could not be shown. Reload the page, or run the cell again."));
    }
  }

  clear() {
    this.#ends.abort();
    this.#ends = new AbortController();
    this.#ref = "";
    this.element.replaceChildren();
    this.element.hidden = true;
  }
}
