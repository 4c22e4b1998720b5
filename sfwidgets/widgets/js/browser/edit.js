import { h } from "../lib/dom.js";

/** A dialog for a track's title, artist and album. */
export class EditDialog {
  /** @type {import("./pages.js").Track | undefined} */
  #track;

  /** @param {(track: string, fields: { title: string, artist: string, album: string }) => Promise<void>} save Rejects with a sentence. */
  constructor(save) {
    this.save = save;
    this.title = h("input", { type: "text", required: true, maxlength: "1000" });
    this.artist = h("input", { type: "text", maxlength: "1000" });
    this.album = h("input", { type: "text", maxlength: "1000" });
    this.fault = h("div", { class: "sf-fault", role: "alert", hidden: true });
    this.keep = h("button", { type: "submit", class: "sf-primary" }, "Save");
    this.element = h("dialog", { class: "sf-edit", "aria-label": "Rename track" },
      h("form", { method: "dialog", onsubmit: (/** @type {Event} */ event) => this.#submit(event) },
        h("strong", {}, "Rename"),
        h("label", {}, h("span", {}, "Title"), this.title),
        h("label", {}, h("span", {}, "Artist"), this.artist),
        h("label", {}, h("span", {}, "Album"), this.album),
        this.fault,
        h("div", { class: "sf-row sf-end" }, h("button", { type: "button", onclick: () => this.element.close() }, "Cancel"), this.keep)));
  }

  /** @param {import("./pages.js").Track} track */
  open(track) {
    this.#track = track;
    this.title.value = track.title;
    this.artist.value = track.artist;
    this.album.value = track.album;
    this.fault.hidden = true;
    this.element.showModal();
    this.title.select();
  }

  /** @param {Event} event */
  async #submit(event) {
    event.preventDefault();
    if (!this.#track) return;
    this.keep.disabled = true;
    try {
      await this.save(this.#track.id, { title: this.title.value, artist: this.artist.value, album: this.album.value });
      this.element.close();
    } catch (error) {
      this.fault.textContent = /** @type {Error} */ (error).message;
      this.fault.hidden = false;
    }
    this.keep.disabled = false;
  }
}
