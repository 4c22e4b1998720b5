import { h } from "../lib/dom.js";
import { Silence } from "../jobs/silence.js";
import { FileRow, ItemRow } from "./rows.js";
import { Settings } from "./settings.js";
import { Turns, Upload } from "./upload.js";

const ACCEPTED = "audio/*,video/*,.flac,.m4a,.mp4,.ogg,.opus,.wav,.aif,.aiff,.wma,.mka,.mkv,.webm,.mov";

/** Faults of a file itself: to send it again is useless. */
const USELESS = ["audio_undecodable"];

/** @typedef {{ row: FileRow, source: File | string, upload?: Upload }} Waiting A file or a link that is not in the library yet. */

/** Takes files and a link, shows what becomes of them. */
export class Panel {
  /** @type {Set<Waiting>} */
  #waiting = new Set();
  /** @type {Map<string, ItemRow>} */
  #items = new Map();
  #turns = new Turns(2);

  /**
   * @param {import("../lib/channel.js").Model} model
   * @param {import("../lib/channel.js").Channel} channel
   */
  constructor(model, channel) {
    this.model = model;
    this.channel = channel;
    this.settings = new Settings(() => this.#count());
    this.input = h("input", { type: "file", multiple: true, accept: ACCEPTED, class: "sf-unseen", tabindex: "-1", "aria-hidden": "true",
      onchange: () => this.#choose([...(this.input.files ?? [])]) });
    this.choose = h("button", { onclick: () => this.input.click() }, "Choose files…");
    this.zone = h("div", { class: "sf-zone" },
      h("div", {}, h("strong", {}, "Drop songs here"), " or ", this.choose),
      h("div", { class: "sf-soft sf-small" }, "Audio files, or videos with sound, of any length"), this.input);
    this.link = h("input", { type: "url", placeholder: "https://open.spotify.com/track/…", autocomplete: "off", spellcheck: "false",
      onkeydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter") this.#addLink(); } });
    this.add = h("button", { onclick: () => this.#addLink() }, "Add");
    this.start = h("button", { class: "sf-primary sf-start", onclick: () => this.#start() });
    this.said = h("div", { class: "sf-small", role: "status" });
    this.fault = h("div", { class: "sf-fault", role: "alert", hidden: true });
    this.list = h("ul", { class: "sf-files", "aria-label": "Files", tabindex: "0" });
    this.hide = h("button", { class: "sf-plain sf-small sf-hide", hidden: true, onclick: () => this.#hide() }, "Hide finished");
    this.silence = new Silence({
      ask: async () => this.#showItems((await channel.ask("state", {}, { patience: 10 })).value),
      waiting: () => /** @type {import("./rows.js").Item[]} */ (model.get("items")).some((item) => item.state === "running"),
    });
    this.element = h("div", { class: "sf-panel" },
      h("div", { class: "sf-source" }, this.zone,
        h("label", { class: "sf-field sf-link" }, h("span", {}, "Or a Spotify link"), h("span", { class: "sf-pair" }, this.link, this.add))),
      h("div", { class: "sf-what-for" }, this.settings.element, this.start, this.said), this.fault, this.silence.element, this.hide, this.list);
    this.#takeDrops();
    this.changed = () => {
      this.silence.heard();
      this.#showItems(model.get("items"));
    };
    model.on("change:items", this.changed);
    this.#showItems(model.get("items"));
    this.#count();
    channel.ask("models").then(({ value }) => this.settings.fill(value), (error) => this.#say(error.message));
  }

  close() {
    this.model.off("change:items", this.changed);
    this.silence.close();
    for (const { upload } of this.#waiting) upload?.cancel();
  }

  /** @param {File[]} files */
  #choose(files) {
    const [first] = files.map((file) => this.#enter(file, file.name, file.size));
    if (first) this.list.scrollTop = first.element.offsetTop;
    this.input.value = "";
  }

  #addLink() {
    const link = this.link.value.trim();
    if (!link) return this.link.focus();
    this.link.value = "";
    this.#enter(link, link, null);
  }

  /** @param {File | string} source @param {string} name @param {number | null} bytes */
  #enter(source, name, bytes) {
    const row = new FileRow(name, bytes, { remove: () => this.#remove(waiting), again: () => this.#send(waiting) });
    /** @type {Waiting} */
    const waiting = { row, source };
    this.#waiting.add(waiting);
    this.list.append(row.element);
    this.said.textContent = "";
    this.#count();
    return row;
  }

  /** @param {Waiting} waiting */
  #remove(waiting) {
    waiting.upload?.cancel();
    this.#waiting.delete(waiting);
    waiting.row.element.remove();
    this.choose.focus();
    this.#count();
  }

  #start() {
    if (this.link.value.trim()) this.#addLink();
    const ready = [...this.#waiting].filter(({ row }) => row.phase === "waiting");
    this.said.textContent = ready.length ? "" : "Drop or choose a song first.";
    if (!ready.length) this.choose.focus();
    for (const waiting of ready) this.#send(waiting);
  }

  /** @param {Waiting} waiting */
  #send(waiting) {
    const settings = this.settings.value();
    waiting.row.show("turn");
    this.#count();
    this.#turns.add(async () => {
      if (!this.#waiting.has(waiting)) return;
      try {
        const item = await (typeof waiting.source === "string" ? this.#look(waiting, waiting.source, settings) : this.#upload(waiting, waiting.source, settings));
        if (item) this.#arrived(waiting, item);
      } catch (error) {
        const { code, message } = /** @type {import("../lib/channel.js").AskError} */ (error);
        waiting.row.show("failed", { error: message, useless: USELESS.includes(code) });
      }
      this.#count();
    });
  }

  /** @param {Waiting} waiting @param {string} link @param {object} settings */
  async #look(waiting, link, settings) {
    waiting.row.show("adding");
    return (await this.channel.ask("link", { link, settings }, { patience: 60 })).value;
  }

  /** @param {Waiting} waiting @param {File} file @param {object} settings */
  async #upload(waiting, file, settings) {
    const { row } = waiting;
    const upload = new Upload(this.channel, file, () => row.show(upload.sent < file.size ? "sending" : "adding", { upload }));
    waiting.upload = upload;
    row.show("sending", { upload });
    return upload.run(settings);
  }

  /** @param {Waiting} waiting @param {import("./rows.js").Item} item */
  #arrived(waiting, item) {
    this.#waiting.delete(waiting);
    const known = this.#items.get(item.key);
    if (known) waiting.row.element.replaceWith(known.element);
    else {
      const row = this.#itemRow(item.key);
      row.show(item);
      waiting.row.element.replaceWith(row.element);
    }
  }

  /** @param {string} key */
  #itemRow(key) {
    const row = new ItemRow((name, given) => this.#ask(name, given), () => this.model.get("can_open"));
    this.#items.set(key, row);
    return row;
  }

  /** @param {import("./rows.js").Item[]} items */
  #showItems(items) {
    const sending = new Set([...this.#waiting].map(({ upload }) => upload?.key));
    for (const item of items) {
      let row = this.#items.get(item.key);
      if (!row && sending.has(item.key)) continue;
      if (!row) {
        row = this.#itemRow(item.key);
        this.list.append(row.element);
      }
      row.show(item);
    }
    this.hide.hidden = items.filter((item) => item.state === "done").length < 2;
    const kept = new Set(items.map((item) => item.key));
    for (const [key, row] of this.#items) {
      if (kept.has(key)) continue;
      row.element.remove();
      this.#items.delete(key);
    }
  }

  async #hide() {
    if (await this.#ask("forget_done", {})) this.choose.focus();
  }

  /** @param {string} name @param {Record<string, any>} given */
  async #ask(name, given) {
    this.fault.hidden = true;
    try {
      await this.channel.ask(name, given);
      return true;
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message);
      return false;
    }
  }

  /** @param {string} message */
  #say(message) {
    this.fault.textContent = message;
    this.fault.hidden = false;
  }

  #count() {
    const ready = [...this.#waiting].filter(({ row }) => row.phase === "waiting").length;
    const what = ready > 1 ? `${ready} songs` : ready === 1 ? "1 song" : "songs";
    const { stems, analysis } = this.settings.wants;
    this.start.textContent = stems ? `Split ${what} into stems` : analysis ? `Add and analyse ${what}` : `Add ${what} to the library`;
  }

  #takeDrops() {
    let within = 0;
    /** @param {DragEvent} event */
    const files = (event) => event.dataTransfer?.types.includes("Files");
    /** @param {string} name @param {(event: DragEvent) => void} act */
    const on = (name, act) => this.element.addEventListener(name, (given) => {
      const event = /** @type {DragEvent} */ (given);
      if (!files(event)) return;
      event.preventDefault();
      event.stopPropagation();
      act(event);
      this.zone.classList.toggle("sf-over", within > 0);
    });
    on("dragenter", () => { within += 1; });
    on("dragleave", () => { within -= 1; });
    on("dragover", () => {});
    on("drop", (event) => {
      within = 0;
      const dropped = [...(event.dataTransfer?.items ?? [])].filter((item) => item.kind === "file");
      const folders = dropped.filter((item) => item.webkitGetAsEntry?.()?.isDirectory).length;
      this.#choose(dropped.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile()).filter((file) => file !== null));
      if (folders) this.said.textContent = "Folders can't be taken. Open the folder and drop the songs in it.";
    });
  }
}
