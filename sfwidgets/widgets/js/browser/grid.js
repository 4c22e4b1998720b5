import { h } from "../lib/dom.js";
import { RowView } from "./row.js";

export const ROW = 56;
const BEYOND = 4;
const SETTLE = 60;

/** @typedef {{ key: string, label: string, descending?: boolean, class: string }} Column `descending`: what a first press on it means. */

/** @type {Column[]} */
const COLUMNS = [
  { key: "title", label: "Title", class: "sf-c-title" },
  { key: "artist", label: "Artist", class: "sf-c-artist" },
  { key: "duration", label: "Length", class: "sf-c-length", descending: true },
  { key: "", label: "Tempo", class: "sf-c-tempo" },
  { key: "", label: "Key", class: "sf-c-key" },
  { key: "", label: "Status", class: "sf-c-made" },
  { key: "created", label: "Added", class: "sf-c-added", descending: true },
];

let made = 0;

/**
 * A list of any length of which only what is in sight has elements: an ARIA grid with one active row.
 *
 * @typedef {object} Given
 * @property {(index: number) => import("./pages.js").Track | undefined} at
 * @property {(track: import("./pages.js").Track) => import("./row.js").Extra} extra
 * @property {(first: number, last: number) => void} settled Called once scrolling has come to rest, with what is in sight.
 * @property {(sort: string) => void} sort
 * @property {(index: number) => void} choose
 * @property {(index: number) => void} open Called with the row that is clicked.
 * @property {(event: KeyboardEvent) => void} key Keys that the grid itself has no use for.
 */
export class Grid {
  /** @type {RowView[]} */
  #rows = [];
  #total = 0;
  #cursor = -1;
  #frame = 0;
  #settling = 0;
  #id = `sf-grid-${made++}`;

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
    this.headers = COLUMNS.map((column) => h("div", { role: "columnheader", class: column.class },
      column.key
        ? h("button", { class: "sf-plain", tabindex: "-1", onclick: () => this.#sortBy(column) }, column.label, h("span", { class: "sf-arrow", "aria-hidden": "true" }))
        : h("span", {}, column.label)));
    const corner = h("div", { role: "columnheader", class: "sf-c-cover" }, h("span", { class: "sf-unseen" }, "Cover"));
    this.body = h("div", { role: "rowgroup", class: "sf-rows" });
    this.element = h("div", {
      role: "grid", class: "sf-grid", tabindex: "0", "aria-label": "Tracks", "aria-colcount": String(COLUMNS.length + 1), "aria-readonly": "true",
      onscroll: () => this.draw(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    }, h("div", { role: "rowgroup", class: "sf-heads" }, h("div", { role: "row", class: "sf-track-row", "aria-rowindex": "1" }, corner, ...this.headers)), this.body);
    this.sized = new ResizeObserver(() => this.draw());
    this.sized.observe(this.element);
  }

  close() {
    this.sized.disconnect();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#settling);
  }

  get cursor() {
    return this.#cursor;
  }

  /** The first and the last row in sight. @returns {[number, number]} */
  get sight() {
    const first = Math.floor(this.element.scrollTop / ROW);
    const last = Math.ceil((this.element.scrollTop + this.element.clientHeight) / ROW);
    return [Math.max(0, Math.min(first, this.#total - 1)), Math.max(0, Math.min(last, this.#total - 1))];
  }

  /** @param {number} total @param {string} sort */
  resize(total, sort) {
    this.#total = total;
    this.#cursor = Math.min(this.#cursor, total - 1);
    this.element.setAttribute("aria-rowcount", String(total + 1));
    this.body.style.height = `${total * ROW}px`;
    COLUMNS.forEach((column, at) => {
      const way = !column.key ? null : sort === column.key ? "ascending" : sort === `-${column.key}` ? "descending" : "none";
      if (way) this.headers[at].setAttribute("aria-sort", way);
      const arrow = this.headers[at].querySelector(".sf-arrow");
      if (arrow) arrow.textContent = way === "ascending" ? "↑" : way === "descending" ? "↓" : "";
    });
    this.draw();
  }

  /** Make a row the active one; -1 for none. @param {number} index @param {boolean} [reveal] */
  moveTo(index, reveal = true) {
    this.#cursor = Math.max(-1, Math.min(index, this.#total - 1));
    if (reveal && this.#cursor >= 0) {
      const { scrollTop, clientHeight } = this.element;
      const head = /** @type {HTMLElement} */ (this.element.firstElementChild).offsetHeight;
      const top = this.#cursor * ROW;
      if (top < scrollTop) this.element.scrollTop = top;
      else if (top + ROW > scrollTop + clientHeight - head) this.element.scrollTop = top + ROW - clientHeight + head;
    }
    this.draw();
  }

  toTop() {
    this.element.scrollTop = 0;
  }

  draw() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    const [from, to] = this.sight;
    const first = Math.max(0, from - BEYOND);
    const count = this.#total ? Math.min(this.#total - 1, to + BEYOND) - first + 1 : 0;
    while (this.#rows.length < count) {
      const row = new RowView(`${this.#id}-${this.#rows.length}`, {
        open: (index) => this.given.open(index),
      });
      this.#rows.push(row);
      this.body.append(row.element);
    }
    while (this.#rows.length > count) this.#rows.pop()?.element.remove();
    let active = "";
    // A row keeps its element while it is in sight, so that scrolling changes little.
    for (let index = first; index < first + count; index += 1) {
      const row = this.#rows[index % count];
      const track = this.given.at(index);
      row.show(index, ROW, track, track && this.given.extra(track), index === this.#cursor);
      if (index === this.#cursor) active = row.element.id;
    }
    if (active) this.element.setAttribute("aria-activedescendant", active);
    else this.element.removeAttribute("aria-activedescendant");
    clearTimeout(this.#settling);
    if (this.#total) this.#settling = /** @type {any} */ (setTimeout(() => this.given.settled(from, to), SETTLE));
  }

  /** @param {Column} column */
  #sortBy(column) {
    const at = COLUMNS.indexOf(column);
    const now = this.headers[at].getAttribute("aria-sort");
    const descending = now === "none" || now === null ? Boolean(column.descending) : now === "ascending";
    this.given.sort(`${descending ? "-" : ""}${column.key}`);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW) - 1);
    const from = this.#cursor;
    const steps = { ArrowDown: from + 1, ArrowUp: Math.max(0, from - 1), PageDown: from + page, PageUp: Math.max(0, from - page), Home: 0, End: this.#total - 1 };
    if (event.target === this.element && event.key in steps && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const to = Math.min(this.#total - 1, steps[/** @type {keyof typeof steps} */ (event.key)]);
      event.preventDefault();
      if (to < 0) return;
      this.moveTo(to);
      this.given.choose(to);
    } else {
      this.given.key(event);
    }
  }
}
