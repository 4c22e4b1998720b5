import { h } from "../lib/dom.js";
import { clock } from "../lib/format.js";

/**
 * @typedef {object} Extra What is shown of a track beyond its row.
 * @property {string | null} cover
 * @property {{ tempo: number | null, key: string | null } | undefined} facts
 * @property {{ what: string, progress: number, waiting: boolean } | undefined} job
 */

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** One element that shows whichever track is at its place just now. */
export class RowView {
  #index = -1;
  #said = "";

  /** @param {string} id @param {{ open: (index: number) => void }} told */
  constructor(id, told) {
    this.initial = h("span", { "aria-hidden": "true" });
    this.image = h("img", { alt: "", hidden: true });
    this.cover = h("div", { class: "sf-cover" }, this.initial, this.image);
    this.title = h("div", { class: "sf-name" });
    this.album = h("div", { class: "sf-album sf-soft sf-small" });
    this.under = h("div", { class: "sf-under sf-soft sf-small" });
    this.artist = h("div", { role: "gridcell", class: "sf-c-artist" });
    this.length = h("div", { role: "gridcell", class: "sf-c-length sf-numbers" });
    this.tempo = h("div", { role: "gridcell", class: "sf-c-tempo sf-numbers" });
    this.key = h("div", { role: "gridcell", class: "sf-c-key" });
    this.made = h("div", { role: "gridcell", class: "sf-c-made" });
    this.added = h("div", { role: "gridcell", class: "sf-c-added sf-soft sf-numbers" });
    this.element = h("div", {
      role: "row", id, class: "sf-track-row",
      // Who double-clicks means it once.
      onclick: (/** @type {MouseEvent} */ event) => { if (event.detail < 2) told.open(this.#index); },
    },
    h("div", { role: "gridcell", class: "sf-c-cover" }, this.cover),
    h("div", { role: "gridcell", class: "sf-c-title" }, this.title, this.album, this.under),
    this.artist, this.length, this.tempo, this.key, this.made, this.added);
  }

  /**
   * @param {number} index @param {number} height
   * @param {import("./pages.js").Track | undefined} track Undefined while it is not here yet.
   * @param {Extra | undefined} extra
   * @param {boolean} active
   */
  show(index, height, track, extra, active) {
    if (index !== this.#index) {
      this.#index = index;
      this.element.style.transform = `translateY(${index * height}px)`;
      this.element.setAttribute("aria-rowindex", String(index + 2));
    }
    if (this.element.getAttribute("aria-selected") !== String(active)) this.element.setAttribute("aria-selected", String(active));
    const said = track ? JSON.stringify([track, extra]) : "";
    if (said === this.#said) return;
    this.#said = said;
    this.element.classList.toggle("sf-absent", !track);
    this.element.dataset.track = track?.id ?? "";
    this.#fill(track, extra);
  }

  /** @param {import("./pages.js").Track | undefined} track @param {Extra | undefined} extra */
  #fill(track, extra) {
    const length = track?.duration ? clock(track.duration) : "";
    this.title.textContent = track?.title ?? "";
    this.title.title = track?.title ?? "";
    this.album.textContent = track?.album ?? "";
    this.artist.textContent = track?.artist ?? "";
    this.artist.title = track?.artist ?? "";
    this.under.textContent = [track?.artist, length].filter(Boolean).join(" · ");
    this.length.textContent = length;
    this.tempo.textContent = extra?.facts?.tempo ? extra.facts.tempo.toFixed(1) : "";
    this.key.textContent = extra?.facts?.key ?? "";
    this.added.textContent = track ? DAY.format(track.created) : "";
    this.initial.textContent = track ? ([...track.title.trim()][0] ?? "♪").toUpperCase() : "";
    this.cover.style.setProperty("--hue", String(hue(`${track?.artist}${track?.album}` || `${track?.title}`)));
    this.image.hidden = !extra?.cover;
    if (extra?.cover && this.image.src !== extra.cover) this.image.src = extra.cover;
    this.made.replaceChildren(...(track ? [
      extra?.job ? h("span", { class: "sf-badge sf-running sf-numbers" }, extra.job.waiting ? `${extra.job.what} waits` : `${extra.job.what} ${extra.job.progress} %`) : null,
      track.hasStems ? h("span", { class: "sf-badge" }, "Stems") : null,
      track.hasAnalysis && !extra?.job ? h("span", { class: "sf-badge" }, "Analysis") : null,
    ].filter((badge) => badge !== null) : []));
  }
}

/** A colour that is always the same for the same text, 0 to 359. @param {string} text */
function hue(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + /** @type {number} */ (letter.codePointAt(0))) % 36;
  return sum * 10;
}
