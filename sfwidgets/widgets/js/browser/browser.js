import { h } from "../lib/dom.js";
import { whileSeen } from "../jobs/seen.js";
import { EditDialog } from "./edit.js";
import { Extras } from "./extras.js";
import { Grid } from "./grid.js";
import { Pages } from "./pages.js";
import { Undo } from "./undo.js";

const TYPING = 10;
const PULSE = 2000;

const SORTS = {
  "-created": "Newest first", created: "Oldest first", title: "Title A–Z", "-title": "Title Z–A",
  artist: "Artist A–Z", "-artist": "Artist Z–A", duration: "Shortest first", "-duration": "Longest first",
};

/** @typedef {import("./pages.js").Track} Track */

/** The whole browser: what is typed, chosen and pressed, and what is told of it. */
export class Browser {
  /** @type {Record<string, { what: string, progress: number, waiting: boolean }>} */
  #running = {};
  /** @type {string | null} */
  #stamp = null;
  #typing = 0;
  /** Also while its row is far out of sight. @type {Track | undefined} */
  #chosen;
  /** Whether what is said is that something could not be read, and goes once it can. */
  #unread = false;

  /**
   * @param {import("../lib/channel.js").Model} model
   * @param {import("../lib/channel.js").Channel} channel
   */
  constructor(model, channel) {
    this.model = model;
    this.channel = channel;
    this.pages = new Pages(channel, () => this.#changed(), (error) => this.#say(error.message, { again: () => this.refresh() }));
    this.extras = new Extras(channel, () => this.grid.draw());
    this.grid = new Grid({
      at: (index) => this.pages.at(index),
      extra: (track) => ({ cover: this.extras.cover(track.id), facts: this.extras.facts(track.id), job: this.#running[track.id] }),
      settled: (first, last) => this.#settled(first, last),
      sort: (sort) => this.#sort(sort),
      choose: (index) => this.#choose(index),
      open: (index) => this.#press(index),
      key: (event) => this.#key(event),
    });
    this.search = h("input", { type: "search", placeholder: "Search", title: "Search title, artist and album", "aria-label": "Search the library", autocomplete: "off", spellcheck: "false",
      oninput: () => this.#type(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.#fromSearch(event) });
    this.order = h("select", { "aria-label": "Sort", onchange: () => this.#sort(this.order.value) },
      ...Object.entries(SORTS).map(([value, label]) => h("option", { value }, label)));
    this.count = h("div", { class: "sf-count sf-soft sf-small sf-numbers", role: "status" });
    this.nothing = h("div", { class: "sf-nothing", hidden: true });
    this.chosen = h("span", { class: "sf-chosen-name" });
    this.rename = h("button", { onclick: () => this.#rename() }, "Rename");
    this.remove = h("button", { onclick: () => this.#remove() }, "Delete");
    this.acts = h("div", { class: "sf-bottom", hidden: true }, this.chosen, h("div", { class: "sf-row" }, this.rename, this.remove));
    this.edit = new EditDialog((track, fields) => this.#save(track, fields));
    this.edit.element.addEventListener("close", () => this.grid.element.focus());
    this.undo = new Undo((ids) => this.#restore(ids));
    this.message = h("span");
    this.again = h("button");
    this.fault = h("div", { class: "sf-fault sf-row", role: "alert", hidden: true }, this.message, this.again);
    this.element = h("div", { class: "sf-browse" },
      h("div", { class: "sf-tools" }, this.search, this.order, this.count),
      this.grid.element, this.nothing, this.acts, this.undo.element, this.fault, this.edit.element);
    this.onVersion = () => this.refresh();
    this.onSelected = () => this.#follow();
    model.on("change:version", this.onVersion);
    model.on("change:selected", this.onSelected);
    this.pulse = whileSeen(this.element, PULSE, () => this.#pulse(), channel);
    this.pages.load(this.pages.query);
  }

  close() {
    clearTimeout(this.#typing);
    this.pulse.close();
    this.grid.close();
    this.undo.close();
    this.extras.close();
    this.model.off("change:version", this.onVersion);
    this.model.off("change:selected", this.onSelected);
  }

  refresh() {
    this.extras.stale();
    return this.pages.load(this.#query(), ...this.grid.sight);
  }

  /** @returns {Track | undefined} */
  get #current() {
    return this.#chosen?.id === this.model.get("selected") ? this.#chosen : undefined;
  }

  #query() {
    return { search: this.search.value.trim(), sort: this.order.value };
  }

  async #anew() {
    if (await this.pages.load(this.#query())) {
      this.grid.toTop();
      this.#follow();
    }
  }

  #type() {
    clearTimeout(this.#typing);
    this.#typing = /** @type {any} */ (setTimeout(() => this.#anew(), TYPING));
  }

  /** @param {string} sort */
  #sort(sort) {
    this.order.value = sort;
    this.#anew();
  }

  #changed() {
    const { total, query } = this.pages;
    if (total === null) return;
    this.#read();
    const number = total.toLocaleString("en");
    this.count.textContent = query.search ? `${number} ${total === 1 ? "match" : "matches"}` : `${number} ${total === 1 ? "track" : "tracks"}`;
    this.nothing.hidden = total > 0;
    this.grid.element.hidden = total === 0;
    if (total === 0) {
      this.nothing.replaceChildren(query.search
        ? h("div", {}, `Nothing matches “${query.search}”.`) : h("div", {}, "No tracks yet: drop a file above."));
      if (query.search) this.nothing.append(h("button", { onclick: () => this.#clear() }, "Show all tracks"));
    }
    this.grid.resize(total, query.sort);
    this.grid.element.classList.toggle("sf-opens", this.model.get("can_open"));
    const index = this.pages.find(this.model.get("selected"));
    if (index >= 0) {
      this.#chosen = this.pages.at(index);
      this.grid.moveTo(index, false);
    } else if (this.#current && this.pages.at(this.grid.cursor)) {
      this.grid.moveTo(-1, false);
    }
    this.#showActs();
  }

  #clear() {
    this.search.value = "";
    this.search.focus();
    this.#anew();
  }

  /** Make the chosen track's row the active one, where it is here. */
  #follow() {
    const index = this.pages.find(this.model.get("selected"));
    this.#chosen = index < 0 ? undefined : this.pages.at(index);
    this.grid.moveTo(index);
    this.#showActs();
  }

  #showActs() {
    const track = this.#current;
    this.acts.hidden = !track;
    this.chosen.textContent = track?.title ?? "";
    this.chosen.title = track?.title ?? "";
  }

  /** @param {number} index */
  #choose(index) {
    const track = this.pages.at(index);
    if (!track) return;
    this.#chosen = track;
    this.grid.moveTo(index);
    if (this.model.get("selected") !== track.id) {
      this.model.set("selected", track.id);
      this.model.save_changes();
    }
    this.#showActs();
  }

  /** @param {number} first @param {number} last */
  #settled(first, last) {
    this.pages.need(first, last);
    const seen = [];
    for (let index = first; index <= last; index += 1) seen.push(this.pages.at(index));
    this.extras.want(seen.filter((track) => track !== undefined));
  }

  /** @param {KeyboardEvent} event */
  #fromSearch(event) {
    if (event.key === "Escape" && this.search.value) {
      event.preventDefault();
      this.#clear();
    } else if ((event.key === "ArrowDown" || event.key === "Enter") && this.pages.total) {
      event.preventDefault();
      this.grid.element.focus();
      this.#choose(Math.max(0, this.grid.cursor));
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const acts = {
      Enter: () => this.#open(), Delete: () => this.#remove(), Backspace: () => this.#remove(), F2: () => this.#rename(),
      z: () => (event.ctrlKey || event.metaKey) && this.undo.undo(),
    };
    if (event.target !== this.grid.element || !(event.key in acts)) return;
    event.preventDefault();
    acts[/** @type {keyof typeof acts} */ (event.key)]();
  }

  /** A row was clicked. @param {number} index */
  #press(index) {
    this.#choose(index);
    if (this.pages.at(index)) this.#open();
  }

  #open() {
    const track = this.#current;
    if (track && this.model.get("can_open")) this.#ask("open", { track: track.id });
  }

  #rename() {
    const track = this.#current;
    if (track) this.edit.open(track);
  }

  /** @param {string} track @param {{ title: string, artist: string, album: string }} fields */
  async #save(track, fields) {
    await this.channel.ask("edit", { track, ...fields });
    await this.refresh();
  }

  async #remove() {
    const track = this.#current;
    if (!track) return;
    const index = this.grid.cursor;
    const gone = await this.#ask("trash", { track: track.id });
    if (!gone) return;
    this.undo.add(gone);
    this.grid.element.focus();
    await this.refresh();
    if (this.pages.total) this.#choose(Math.min(index, this.pages.total - 1));
  }

  /** @param {string[]} tracks */
  async #restore(tracks) {
    const back = await this.#ask("restore", { tracks });
    await this.refresh();
    if (back !== undefined) {
      this.grid.element.focus();
      this.model.set("selected", tracks[tracks.length - 1]);
      this.model.save_changes();
      this.#follow();
    }
    return back !== undefined;
  }

  async #pulse() {
    try {
      const { value } = await this.channel.ask("pulse", {}, { patience: 10 });
      this.#running = value.running;
      const news = this.#stamp !== null && this.#stamp !== value.stamp;
      this.#stamp = value.stamp;
      if (news || this.#unread) await this.refresh();
      else this.grid.draw();
    } catch (error) {
      const { code, message } = /** @type {import("../lib/channel.js").AskError} */ (error);
      if (code !== "closed") this.#say(message, { again: () => this.pulse.now() });
    }
  }

  /** Resolves to the answer, null for one that is empty, undefined where it failed. @param {string} name @param {Record<string, any>} given */
  async #ask(name, given) {
    try {
      const answer = (await this.channel.ask(name, given)).value ?? null;
      this.fault.hidden = true;
      return answer;
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message);
      this.refresh();
    }
  }

  /** Something could be read again. */
  #read() {
    if (this.#unread) this.fault.hidden = true;
    this.#unread = false;
  }

  /** @param {string} message @param {{ again?: () => void }} [way] `again`: reads once more what could not be read. */
  #say(message, { again } = {}) {
    this.#unread = Boolean(again);
    this.message.textContent = message;
    this.again.textContent = again ? "Try again" : "Dismiss";
    this.again.onclick = again ?? (() => { this.fault.hidden = true; });
    this.fault.hidden = false;
  }
}
