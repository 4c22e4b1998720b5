import { h } from "../lib/dom.js";
import { Silence } from "../jobs/silence.js";
import { Found, isLink } from "./found.js";
import { FileRow, ItemRow } from "./rows.js";
import { Settings } from "./settings.js";
import { Turns, Upload } from "./upload.js";

const ACCEPTED = "audio/*,video/*";

/** Faults of a file itself: to send it again is useless. */
const USELESS = ["audio_undecodable"];

/** @typedef {{ row: FileRow, file: File, upload?: Upload }} Waiting A file that is not in the library yet. */

/** Takes files and links, shows what becomes of them. */
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
    this.link = h("input", { type: "url", placeholder: "https://open.spotify.com/playlist/…", autocomplete: "off", spellcheck: "false",
      onkeydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter") this.#lookUp(); },
      onpaste: (/** @type {ClipboardEvent} */ event) => this.#paste(event) });
    this.look = h("button", { onclick: () => this.#lookUp() }, "Look up");
    this.found = new Found(channel, {
      settings: () => this.settings.value(),
      then: () => this.#then(),
      downloading: (item) => this.#downloading(item),
      changed: () => this.#showStart(),
      closed: () => this.link.focus(),
    });
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
        h("div", { class: "sf-field sf-link" },
          h("label", { class: "sf-field sf-link" }, h("span", {}, "Or a Spotify link"), h("span", { class: "sf-pair" }, this.link, this.look)),
          h("div", { class: "sf-soft sf-small" }, "Only download what you have the right to."))),
      h("div", { class: "sf-what-for" }, this.settings.element, this.start, this.said), this.found.element, this.fault, this.silence.element,
      this.hide, this.list);
    this.#takeDrops();
    this.changed = () => {
      this.silence.heard();
      this.#showItems(model.get("items"));
    };
    model.on("change:items", this.changed);
    this.#showItems(model.get("items"));
    this.#count();
    channel.ask("models").then(({ value }) => {
      this.settings.fill(value);
      this.input.accept = [ACCEPTED, ...value.suffixes].join();
    }, (error) => this.#say(error.message));
  }

  close() {
    this.model.off("change:items", this.changed);
    this.silence.close();
    for (const { upload } of this.#waiting) upload?.cancel();
  }

  /** @param {File[]} files */
  #choose(files) {
    const [first] = files.map((file) => this.#enter(file));
    if (first) this.list.scrollTop = first.element.offsetTop;
    this.input.value = "";
  }

  #lookUp() {
    const link = this.link.value.trim();
    if (link) this.found.lookUp(link);
    else this.link.focus();
  }

  /** @param {ClipboardEvent} event */
  #paste(event) {
    const text = event.clipboardData?.getData("text") ?? "";
    if (!isLink(text)) return;
    event.preventDefault();
    this.link.value = text.trim();
    this.#lookUp();
  }

  /** What is made of each download, in a sentence. */
  #then() {
    const { stems, analysis } = this.settings.wants;
    const made = [stems ? "split into stems" : "", analysis ? "analysed" : ""].filter(Boolean).join(" and ");
    return made && `Each is then ${made}, as chosen above.`;
  }

  /** @param {import("./rows.js").Item} item */
  #downloading(item) {
    this.link.value = "";
    if (this.#items.has(item.key)) return;
    const row = this.#itemRow(item.key);
    row.show(item);
    this.list.append(row.element);
    this.list.scrollTop = row.element.offsetTop;
  }

  /** @param {File} file */
  #enter(file) {
    const row = new FileRow(file.name, file.size, { remove: () => this.#remove(waiting), again: () => this.#send(waiting) });
    /** @type {Waiting} */
    const waiting = { row, file };
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
    const ready = [...this.#waiting].filter(({ row }) => row.phase === "waiting");
    const link = this.link.value.trim() && this.found.element.hidden;
    if (link) this.#lookUp();
    this.said.textContent = ready.length || link ? "" : "Drop or choose a song first, or paste a Spotify link.";
    if (!ready.length && !link) this.choose.focus();
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
        const item = await this.#upload(waiting, settings);
        if (item) this.#arrived(waiting, item);
      } catch (error) {
        const { code, message } = /** @type {import("../lib/channel.js").AskError} */ (error);
        waiting.row.show("failed", { error: message, useless: USELESS.includes(code) });
      }
      this.#count();
    });
  }

  /** @param {Waiting} waiting @param {object} settings */
  async #upload(waiting, settings) {
    const { row, file } = waiting;
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
    const row = new ItemRow((name, given) => this.#ask(name, given),
      async (given) => (await this.channel.ask("failed", given)).value, () => this.model.get("can_open"));
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
    this.#showStart();
    this.found.count();
  }

  /** Say what the button does; beside a list that is to be downloaded it is for files that wait. */
  #showStart() {
    const ready = [...this.#waiting].filter(({ row }) => row.phase === "waiting").length;
    const what = ready > 1 ? `${ready} songs` : ready === 1 ? "1 song" : "songs";
    const { stems, analysis } = this.settings.wants;
    this.start.textContent = stems ? `Split ${what} into stems` : analysis ? `Add and analyse ${what}` : `Add ${what} to the library`;
    this.start.hidden = this.found.offers && ready === 0;
    this.start.classList.toggle("sf-primary", !this.found.offers);
  }

  #takeDrops() {
    let within = 0;
    /** @param {DragEvent} event */
    const taken = ({ dataTransfer, target }) => dataTransfer !== null
      && (dataTransfer.types.includes("Files") || (target !== this.link && dataTransfer.types.some((type) => type === "text/uri-list" || type === "text/plain")));
    /** @param {string} name @param {(event: DragEvent) => void} act */
    const on = (name, act) => this.element.addEventListener(name, (given) => {
      const event = /** @type {DragEvent} */ (given);
      if (!taken(event)) return;
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
      if (!dropped.length) return this.#dropLink(event.dataTransfer?.getData("text/plain") ?? "");
      const folders = dropped.filter((item) => item.webkitGetAsEntry?.()?.isDirectory).length;
      this.#choose(dropped.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile()).filter((file) => file !== null));
      if (folders) this.said.textContent = "Folders can't be taken. Open the folder and drop the songs in it.";
    });
  }

  /** @param {string} text */
  #dropLink(text) {
    this.said.textContent = isLink(text) ? "" : "Drop audio files, or a link to Spotify.";
    if (!isLink(text)) return;
    this.link.value = text.trim();
    this.#lookUp();
  }
}
