import { h } from "../lib/dom.js";
import { remaining, size } from "../lib/format.js";
import { JobRow } from "../jobs/row.js";

/** What both sorts of row have: a sign, a name, a note, a bar, buttons. Looks like a `JobRow`. */
class Row {
  constructor() {
    this.sign = h("span", { class: "sf-sign", "aria-hidden": "true" });
    this.name = h("span", { class: "sf-what" });
    this.percent = h("span", { class: "sf-percent sf-numbers" });
    this.bar = h("div", { class: "sf-bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", hidden: true }, h("div"));
    this.note = h("div", { class: "sf-note sf-small sf-numbers" });
    this.acts = h("div", { class: "sf-acts" });
    this.head = h("div", { class: "sf-job" }, this.sign,
      h("div", { class: "sf-body" },
        h("div", { class: "sf-line" }, h("span", { class: "sf-title" }, this.name), this.percent), this.bar, this.note),
      this.acts);
    this.element = h("li", {}, this.head);
  }

  /** @param {string} status @param {string} sign @param {string} note */
  say(status, sign, note) {
    this.head.dataset.status = status;
    this.sign.textContent = sign;
    this.note.textContent = note;
  }

  /** @param {string} label @param {() => void} act @param {string} [style] */
  button(label, act, style = "") {
    return h("button", { class: style, onclick: act, "aria-label": `${label} ${this.name.textContent}` }, label);
  }
}

/** @typedef {"waiting" | "turn" | "sending" | "adding" | "failed"} Phase */

/** A file that is not in the library yet. */
export class FileRow extends Row {
  /** @type {Phase} */
  phase = "waiting";

  /**
   * @param {string} name
   * @param {number} bytes
   * @param {{ remove: () => void, again: () => void }} told
   */
  constructor(name, bytes, told) {
    super();
    this.name.textContent = name;
    this.bytes = bytes;
    this.remove = this.button("Remove", told.remove);
    this.again = this.button("Try again", told.again);
    this.acts.append(this.again, this.remove);
    this.bar.setAttribute("aria-label", `Upload of ${name}`);
    this.show("waiting");
  }

  /** @param {Phase} phase @param {{ error?: string, useless?: boolean, upload?: import("./upload.js").Upload }} [more] `useless`: to try again would be. */
  show(phase, { error = "", useless = false, upload } = {}) {
    this.phase = phase;
    this.again.hidden = phase !== "failed" || useless || this.bytes === 0;
    this.remove.hidden = phase === "adding";
    this.remove.textContent = phase === "sending" || phase === "turn" ? "Cancel" : "Remove";
    this.remove.setAttribute("aria-label", `${this.remove.textContent} ${this.name.textContent}`);
    this.bar.hidden = phase !== "sending" && phase !== "adding";
    this.percent.textContent = "";
    const whole = size(this.bytes);
    if (phase === "adding") this.#fill(100);
    if (phase === "waiting") this.say("queued", "○", `${whole} · ready`);
    else if (phase === "turn") this.say("queued", "○", `${whole} · waits for its turn`);
    else if (phase === "adding") this.say("processing", "●", "Adding to the library");
    else if (phase === "failed") this.say("error", "!", error);
    else if (upload) {
      const done = this.bytes ? Math.floor((upload.sent / this.bytes) * 100) : 0;
      const left = upload.speed > 0 ? (upload.file.size - upload.sent) / upload.speed : null;
      this.say("processing", "●", upload.trouble || [
        `Uploading ${whole}`, upload.speed > 0 ? `${size(upload.speed)}/s` : "", left === null ? "" : `${remaining(left)} left`,
      ].filter(Boolean).join(" · "));
      this.percent.textContent = `${done} %`;
      this.#fill(done);
    }
  }

  /** @param {number} percent */
  #fill(percent) {
    this.bar.setAttribute("aria-valuenow", String(percent));
    /** @type {HTMLElement} */ (this.bar.firstElementChild).style.width = `${percent}%`;
  }
}

/**
 * @typedef {object} Item What Python's panel tells of a file that has become a track, and of downloads.
 * @property {string} key
 * @property {string | null} trackId
 * @property {string} title
 * @property {"running" | "done" | "failed"} state
 * @property {string | null} error
 * @property {import("../jobs/row.js").Job[]} jobs
 */

/** @param {{ failed: number, cancelled: number }} counts */
const missed = ({ failed, cancelled }) =>
  [failed && `${failed} failed`, cancelled && `${cancelled} cancelled`].filter(Boolean).join(", ");

/** A track or a list of them, and what is being made of it. */
export class ItemRow extends Row {
  /** @type {Map<string, JobRow>} */
  #jobs = new Map();

  /**
   * @param {(name: string, given: Record<string, any>) => Promise<boolean>} ask
   * @param {(given: Record<string, any>) => Promise<{ title: string, error: string }[]>} failed
   * @param {() => boolean} canOpen
   */
  constructor(ask, failed, canOpen) {
    super();
    this.ask = ask;
    this.failed = failed;
    this.canOpen = canOpen;
    this.said = h("span", { class: "sf-unseen", role: "status" });
    this.list = h("div", { class: "sf-within" });
    this.element.append(this.list, this.said);
  }

  /** @param {Item} item */
  show(item) {
    this.name.textContent = item.title;
    const batch = item.jobs.find((job) => job.counts);
    const counts = item.error === null ? batch?.counts : null;
    const partly = item.state === "failed" && counts !== null && counts !== undefined && counts.completed > 0;
    const there = item.trackId !== null;
    const made = [item.jobs.some((job) => job.kind === "processing") ? "stems" : "", item.jobs.some((job) => job.kind === "analysis") ? "analysis" : ""];
    const notes = {
      running: item.jobs.length ? "" : there ? "In the library; asking for a worker" : "Asking for a worker",
      done: batch?.counts ? `All ${batch.counts.total} in the library` : made.some(Boolean) ? `Ready: ${made.filter(Boolean).join(" and ")}` : "In the library",
      failed: partly ? `Done, ${missed(counts)}` : item.error ?? (there ? "In the library, but not all went well" : ""),
    };
    const [status, sign] = { running: ["processing", "●"], done: ["completed", "✓"], failed: partly ? ["partly", "!"] : ["error", "!"] }[item.state];
    if (this.head.dataset.status && this.head.dataset.status !== status) this.said.textContent = `${item.title}: ${notes[item.state]}`;
    this.say(status, sign, notes[item.state]);
    const open = this.button("Open", () => this.ask("open", { track: item.trackId }));
    const again = this.button("Retry", () => this.ask("retry", { item: item.key, job: "" }));
    const away = this.button("Hide", () => this.ask("forget", { item: item.key }), "sf-plain");
    const wanted = [
      item.error && again, item.state !== "running" && away, there && this.canOpen() && item.state !== "running" && open,
    ].filter((button) => button instanceof HTMLElement);
    const had = [...this.acts.children].map((button) => button.textContent + button.className).join();
    if (had !== wanted.map((button) => button.textContent + button.className).join()) this.acts.replaceChildren(...wanted);
    this.list.hidden = item.state === "done";
    this.#jobs = new Map(item.jobs.map((job) => [job.id, this.#jobs.get(job.id) ?? new JobRow({
      cancel: (id) => this.ask("cancel", { item: item.key, job: id }),
      retry: (id) => this.ask("retry", { item: item.key, job: id }),
      failed: (id) => this.failed({ item: item.key, job: id }),
    })]));
    for (const job of item.jobs) this.#jobs.get(job.id)?.show({ ...job, track: "" });
    const elements = [...this.#jobs.values()].map((row) => row.element);
    if (elements.some((element, at) => this.list.children[at] !== element) || elements.length !== this.list.children.length) {
      this.list.replaceChildren(...elements);
    }
  }
}
