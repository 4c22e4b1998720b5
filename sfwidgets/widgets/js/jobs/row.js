import { h } from "../lib/dom.js";
import { clock, remaining } from "../lib/format.js";

/**
 * @typedef {object} Job What Python's `jobs.row` tells of a job.
 * @property {string} id
 * @property {string} kind
 * @property {string} what
 * @property {string} detail
 * @property {string | null} trackId
 * @property {string} track
 * @property {"queued" | "processing" | "completed" | "error" | "cancelled"} status
 * @property {number} progress
 * @property {string} stage
 * @property {number} attempt
 * @property {string | null} error
 * @property {number | null} speed
 * @property {number | null} left
 * @property {number | null} took
 */

const SIGNS = { queued: "○", processing: "●", completed: "✓", error: "!", cancelled: "–" };
const WORDS = { queued: "waiting", processing: "running", completed: "done", error: "failed", cancelled: "cancelled" };

/** @param {Job} job */
export const done = (job) => job.status !== "queued" && job.status !== "processing";

/** One job as a row: what it is, how far, how fast, how long still; and what can be done about it. */
export class JobRow {
  /** @type {Job | undefined} */
  #shown;
  /** Told of a cancel that has not come true yet. */
  #cancelling = false;

  /** @param {{ cancel: (id: string) => Promise<boolean>, retry: (id: string) => Promise<boolean> }} acts Each resolves to whether it could be asked for. */
  constructor(acts) {
    this.sign = h("span", { class: "sf-sign", "aria-hidden": "true" });
    this.name = h("span", { class: "sf-what" });
    this.detail = h("span", { class: "sf-soft" });
    this.percent = h("span", { class: "sf-percent sf-numbers" });
    this.bar = h("div", { class: "sf-bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, h("div"));
    this.note = h("div", { class: "sf-note sf-small sf-numbers" });
    this.said = h("span", { class: "sf-unseen", role: "status" });
    this.cancel = h("button", { onclick: () => this.#cancel(acts) }, "Cancel");
    this.retry = h("button", { onclick: () => this.#retry(acts) }, "Retry");
    this.element = h("div", { class: "sf-job" },
      this.sign,
      h("div", { class: "sf-body" },
        h("div", { class: "sf-line" }, h("span", { class: "sf-title" }, this.name, this.detail), this.percent),
        this.bar, this.note),
      h("div", { class: "sf-acts" }, this.cancel, this.retry),
      this.said);
  }

  /** @param {Job} told */
  show(told) {
    const job = onwards(this.#shown, told);
    const news = job.status !== this.#shown?.status;
    if (news && this.#shown) this.said.textContent = `${job.what}${job.track ? ` of ${job.track}` : ""}: ${WORDS[job.status]}`;
    this.#shown = job;
    if (done(job)) this.#cancelling = false;
    const name = job.track || job.detail;
    this.element.dataset.status = job.status;
    this.sign.textContent = SIGNS[job.status];
    this.name.textContent = job.what;
    this.detail.textContent = [name, job.track ? job.detail : ""].filter(Boolean).map((part) => ` · ${part}`).join("");
    this.percent.textContent = job.status === "processing" ? `${job.progress} %` : "";
    this.bar.hidden = done(job);
    this.bar.setAttribute("aria-label", `${job.what}${name ? ` of ${name}` : ""}`);
    this.bar.setAttribute("aria-valuenow", String(job.progress));
    /** @type {HTMLElement} */ (this.bar.firstElementChild).style.width = `${job.progress}%`;
    this.note.textContent = note(job);
    this.cancel.hidden = done(job);
    this.cancel.disabled = this.#cancelling;
    this.cancel.textContent = this.#cancelling ? "Cancelling…" : "Cancel";
    this.cancel.setAttribute("aria-label", `${this.cancel.textContent} ${job.what}${name ? ` of ${name}` : ""}`);
    this.retry.hidden = job.status !== "error" && job.status !== "cancelled";
    this.retry.setAttribute("aria-label", `Retry ${job.what}${name ? ` of ${name}` : ""}`);
  }

  /** @param {{ cancel: (id: string) => Promise<boolean> }} acts */
  async #cancel(acts) {
    const job = this.#shown;
    if (!job) return;
    this.#cancelling = true;
    this.show(job);
    if (!(await acts.cancel(job.id))) this.#cancelling = false;
    if (this.#shown) this.show(this.#shown);
  }

  /** @param {{ retry: (id: string) => Promise<boolean> }} acts */
  async #retry(acts) {
    if (!this.#shown) return;
    this.retry.disabled = true;
    await acts.retry(this.#shown.id);
    this.retry.disabled = false;
  }
}

/**
 * Keep a bar from going back within an attempt, and what it said of the speed until it is told anew: between two stages of
 * its work a job is at 0 % for a moment.
 * @param {Job | undefined} before @param {Job} job @returns {Job}
 */
function onwards(before, job) {
  if (!before || before.id !== job.id || before.attempt !== job.attempt || job.status !== "processing") return job;
  return {
    ...job,
    progress: Math.max(before.progress, job.progress),
    speed: job.speed ?? before.speed,
    left: job.left ?? before.left,
  };
}

/** @param {Job} job */
function note(job) {
  const speed = job.speed ? `${job.speed < 10 ? job.speed.toFixed(1) : Math.round(job.speed)} × real time` : "";
  switch (job.status) {
    case "queued":
      return "Waiting for a free worker";
    case "processing":
      return [
        job.stage || "Starting", job.attempt > 1 ? `attempt ${job.attempt}` : "", speed,
        job.left === null ? "" : `${remaining(job.left)} left`,
      ].filter(Boolean).join(" · ");
    case "completed":
      return [job.took === null ? "Done" : `Done in ${job.took < 60 ? `${Math.max(1, Math.round(job.took))} s` : clock(job.took)}`, speed]
        .filter(Boolean).join(" · ");
    case "error":
      return job.error || "It failed, and did not say why.";
    default:
      return "Cancelled";
  }
}
