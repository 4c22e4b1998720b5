import { h } from "../lib/dom.js";
import { clock } from "../lib/format.js";

/** What Python says while a list is still being read; it is asked again then. */
const GOES_ON = ["slow_down", "upstream_timeout"];
/** Faults of what was typed: to ask again for the same is useless. */
const USELESS = ["url_required", "invalid_url", "invalid_input"];
/** Seconds. Where a service asks for a longer wait than this, that is the answer. */
const LONGEST_WAIT = 900;
const NUMBER = new Intl.NumberFormat("en-GB");
const KINDS = { track: "Track", album: "Album", playlist: "Playlist", artist: "Artist's top tracks", search: "Search" };

/**
 * @typedef {object} List What Python's `LookedUp.take` tells of what a link leads to.
 * @property {string} key
 * @property {keyof typeof KINDS} type
 * @property {string} name
 * @property {string | null} artwork
 * @property {number} total
 * @property {number} leftOut
 * @property {number[]} there The places of those that are in the library.
 * @property {{ title: string, artist: string, duration: number | null }[]} tracks The first of them.
 */

/** @param {number} count */
export const tracks = (count) => `${NUMBER.format(count)} ${count === 1 ? "track" : "tracks"}`;

/** @param {string} text Whether it is a link to Spotify, on the face of it; Python looks closer. */
export const isLink = (text) => /^(spotify:|(https?:\/\/)?([a-z-]+\.)*(spotify\.(com|link)|spoti\.fi)\/)\S+$/i.test(text.trim());

/** What a link leads to: looked up, shown, chosen from, downloaded. */
export class Found {
  /** @type {List | null} */
  #list = null;
  /** The places of the tracks that are not wanted. @type {Set<number>} */
  #without = new Set();
  /** Raised with every look-up: an answer to an older one is dropped. */
  #turn = 0;
  #link = "";

  /**
   * @param {import("../lib/channel.js").Channel} channel
   * @param {{ settings: () => object, then: () => string, downloading: (item: import("./rows.js").Item) => void, changed: () => void, closed: () => void }} panel `changed`: whether there is something to download.
   */
  constructor(channel, panel) {
    this.channel = channel;
    this.panel = panel;
    this.image = h("img", { alt: "", hidden: true, referrerpolicy: "no-referrer", onerror: () => { this.image.hidden = true; } });
    this.name = h("strong");
    this.note = h("div", { class: "sf-soft sf-small", role: "status" });
    this.fault = h("div", { class: "sf-fault", role: "alert", hidden: true });
    this.again = h("button", { hidden: true, onclick: () => this.lookUp(this.#link) }, "Try again");
    this.close = h("button", { class: "sf-plain", onclick: () => this.end() }, "Close");
    this.choices = h("ol", { class: "sf-choices", tabindex: "0", "aria-label": "Tracks", onchange: (/** @type {Event} */ event) => this.#tick(event) });
    this.more = h("div", { class: "sf-soft sf-small" });
    this.download = h("button", { class: "sf-primary", onclick: () => this.#download() });
    this.all = h("button", { class: "sf-plain", onclick: () => this.#tickAll(true) }, "Tick all");
    this.none = h("button", { class: "sf-plain", onclick: () => this.#tickAll(false) }, "Tick none");
    this.then = h("span", { class: "sf-soft sf-small" });
    this.body = h("div", { class: "sf-found-body" }, this.choices, this.more, h("div", { class: "sf-row" }, this.download, this.all, this.none, this.then));
    this.element = h("section", { class: "sf-found", "aria-label": "What the link leads to", hidden: true },
      h("div", { class: "sf-found-head" }, this.image, h("div", {}, this.name, this.note), this.again, this.close), this.fault, this.body);
  }

  /** Whether a list is shown that has something to download. */
  get offers() {
    return (this.#list?.total ?? 0) > 0;
  }

  /** Forget what was looked up. */
  end() {
    this.#turn += 1;
    this.#list = null;
    this.element.hidden = true;
    this.panel.changed();
    this.panel.closed();
  }

  /** @param {string} link */
  async lookUp(link) {
    const turn = (this.#turn += 1);
    this.#link = link;
    this.#list = null;
    this.panel.changed();
    this.element.hidden = false;
    this.image.hidden = this.fault.hidden = this.again.hidden = this.body.hidden = true;
    this.name.textContent = "Looking…";
    this.note.textContent = link;
    while (turn === this.#turn) {
      try {
        const { value } = await this.channel.ask("fetch", { link }, { patience: 60 });
        if (turn === this.#turn) this.#show(value);
        return;
      } catch (error) {
        if (turn !== this.#turn) return;
        const { code, message, details } = /** @type {import("../lib/channel.js").AskError} */ (error);
        const wait = Number(details?.retryAfter ?? Infinity);
        if (!GOES_ON.includes(code) || wait > LONGEST_WAIT) return this.#fail(message, USELESS.includes(code));
        this.note.textContent = message;
        await new Promise((resolve) => setTimeout(resolve, Math.max(1, wait) * 1000));
      }
    }
  }

  /** Say anew what the button does, as what shall follow has changed. */
  count() {
    const list = this.#list;
    const count = list ? list.total - this.#without.size : 0;
    this.download.disabled = count === 0;
    this.download.textContent = count ? `Download ${tracks(count)}` : "Download";
    this.then.textContent = count ? this.panel.then() : "Tick what you want.";
    const shown = list?.tracks.length ?? 0;
    const rest = (list?.total ?? 0) - shown;
    const ticked = rest - [...this.#without].filter((at) => at >= shown).length;
    const how = ticked === rest ? "which are ticked, too" : ticked ? `of which ${NUMBER.format(ticked)} are ticked` : "which are not ticked";
    this.more.textContent = rest ? `and ${NUMBER.format(rest)} more, ${how}` : "";
  }

  /** @param {string} message @param {boolean} useless Whether to try again would be. */
  #fail(message, useless) {
    this.name.textContent = "";
    this.note.textContent = "";
    this.fault.textContent = message;
    this.fault.hidden = false;
    this.again.hidden = useless;
  }

  /** @param {List} list */
  #show(list) {
    this.#list = list;
    this.#without = new Set(list.there);
    this.name.textContent = list.name;
    const there = list.there.length;
    this.note.textContent = [
      KINDS[list.type], list.total ? tracks(list.total) : "There is nothing in this list to download", there ? `${NUMBER.format(there)} in the library already` : "",
      list.leftOut ? `${NUMBER.format(list.leftOut)} left out, as they can't be had` : "",
    ].filter(Boolean).join(" · ");
    if (list.artwork) this.image.src = list.artwork;
    this.image.hidden = !list.artwork;
    this.choices.replaceChildren(...list.tracks.map((track, at) =>
      h("li", {}, h("label", { class: "sf-choice" },
        h("input", { type: "checkbox", value: at, checked: !this.#without.has(at) }),
        h("span", { class: "sf-numbers sf-soft" }, at + 1),
        h("span", { class: "sf-song" }, h("span", {}, track.title), track.artist && h("span", { class: "sf-soft sf-small" }, track.artist)),
        h("span", { class: "sf-soft sf-small" }, this.#without.has(at) && "in the library"),
        h("span", { class: "sf-numbers" }, track.duration === null ? "" : clock(track.duration))))));
    this.body.hidden = list.total === 0;
    this.all.hidden = this.none.hidden = list.total < 2;
    this.count();
    this.panel.changed();
    if (list.total) this.download.focus();
  }

  /** @param {Event} event */
  #tick(event) {
    const box = /** @type {HTMLInputElement} */ (event.target);
    if (box.checked) this.#without.delete(Number(box.value));
    else this.#without.add(Number(box.value));
    this.count();
  }

  /** @param {boolean} ticked */
  #tickAll(ticked) {
    this.#without = new Set(ticked ? [] : Array.from({ length: this.#list?.total ?? 0 }, (_, at) => at));
    for (const box of this.choices.querySelectorAll("input")) box.checked = ticked;
    this.count();
  }

  async #download() {
    const list = this.#list;
    if (!list) return;
    this.download.disabled = true;
    this.fault.hidden = true;
    try {
      const given = { key: list.key, without: [...this.#without], settings: this.panel.settings() };
      const { value } = await this.channel.ask("download", given, { patience: 60 });
      this.panel.downloading(value);
      this.end();
    } catch (error) {
      this.fault.textContent = /** @type {Error} */ (error).message;
      this.fault.hidden = false;
      this.count();
    }
  }
}
