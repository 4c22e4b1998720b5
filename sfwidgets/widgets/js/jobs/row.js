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
 * @property {boolean} paused Whether it waits because a service asked for that; its stage says until when.
 * @property {{ total: number, completed: number, failed: number, cancelled: number } | null} counts Those of a batch's parts.
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
  /** How many failed parts of a batch are listed. */
  #listed = 0;
  /** Told of a cancel that has not come true yet. */
  #cancelling = false;

  /**
   * @param {object} acts
   * @param {(id: string) => Promise<boolean>} acts.cancel Resolves to whether it could be asked for, as `retry` does.
   * @param {(id: string) => Promise<boolean>} acts.retry
   * @param {(id: string) => Promise<{ title: string, error: string }[]>} acts.failed Asks which parts of a batch failed.
   */
  constructor(acts) {
    this.acts = acts;
    this.sign = h("span", { class: "sf-sign", "aria-hidden": "true" });
    this.name = h("span", { class: "sf-what" });
    this.detail = h("span", { class: "sf-soft" });
    this.percent = h("span", { class: "sf-percent sf-numbers" });
    this.bar = h("div", { class: "sf-bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, h("div"));
    this.note = h("div", { class: "sf-note sf-small sf-numbers" });
    this.said = h("span", { class: "sf-unseen", role: "status" });
    this.cancel = h("button", { onclick: () => this.#cancel() }, "Cancel");
    this.retry = h("button", { onclick: () => this.#retry() });
    this.why = h("ul", { class: "sf-why sf-small" });
    this.summary = h("summary", { class: "sf-small" });
    this.failed = h("details", { hidden: true, ontoggle: () => this.#list() }, this.summary, this.why);
    this.element = h("div", { class: "sf-job" },
      this.sign,
      h("div", { class: "sf-body" },
        h("div", { class: "sf-line" }, h("span", { class: "sf-title" }, this.name, this.detail), this.percent),
        this.bar, this.note),
      h("div", { class: "sf-acts" }, this.cancel, this.retry),
      this.failed,
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
    this.element.classList.toggle("sf-paused", job.paused);
    this.bar.hidden = done(job);
    this.bar.setAttribute("aria-label", `${job.what}${name ? ` of ${name}` : ""}`);
    this.bar.setAttribute("aria-valuenow", String(job.progress));
    /** @type {HTMLElement} */ (this.bar.firstElementChild).style.width = `${job.progress}%`;
    this.note.textContent = note(job);
    this.cancel.hidden = done(job);
    this.cancel.disabled = this.#cancelling;
    this.cancel.textContent = this.#cancelling ? "Cancelling…" : "Cancel";
    this.cancel.setAttribute("aria-label", `${this.cancel.textContent} ${job.what}${name ? ` of ${name}` : ""}`);
    const partly = job.counts !== null && job.counts.failed + job.counts.cancelled > 0 && job.counts.completed > 0;
    this.retry.hidden = job.status !== "error" && job.status !== "cancelled" && !(done(job) && partly);
    this.retry.textContent = partly ? "Try the failed ones again" : "Retry";
    this.retry.setAttribute("aria-label", partly ? `${this.retry.textContent}: ${name}` : `Retry ${job.what}${name ? ` of ${name}` : ""}`);
    this.failed.hidden = !job.counts?.failed;
    this.element.classList.toggle("sf-partly", !this.failed.hidden);
    this.summary.textContent = job.counts ? `${job.counts.failed} failed` : "";
    this.#list();
  }

  /** List what failed, where somebody wants to see it and more failed since. */
  async #list() {
    const job = this.#shown;
    const failed = job?.counts?.failed ?? 0;
    if (!job || !this.failed.open || failed === this.#listed) return;
    this.#listed = failed;
    const told = await this.acts.failed(job.id);
    const rest = failed - told.length;
    this.why.replaceChildren(
      ...told.map(({ title, error }) => h("li", {}, h("strong", {}, title), ` ${error}`)), rest > 0 ? h("li", {}, `and ${rest} more`) : "");
  }

  async #cancel() {
    const job = this.#shown;
    if (!job) return;
    this.#cancelling = true;
    this.show(job);
    if (!(await this.acts.cancel(job.id))) this.#cancelling = false;
    if (this.#shown) this.show(this.#shown);
  }

  async #retry() {
    if (!this.#shown) return;
    this.retry.disabled = true;
    await this.acts.retry(this.#shown.id);
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
  if (job.paused && !done(job)) return job.stage;
  switch (job.status) {
    case "queued":
      return "Waiting for a free worker";
    case "processing":
      return [
        job.stage || "Starting", job.attempt > 1 ? `attempt ${job.attempt}` : "", speed,
        job.left === null ? "" : `${remaining(job.left)} left`,
      ].filter(Boolean).join(" · ");
    case "completed":
      return [job.counts && `${job.counts.completed} of ${job.counts.total} in the library`, job.took === null ? "Done" : `Done in ${job.took < 60 ? `${Math.max(1, Math.round(job.took))} s` : clock(job.took)}`, speed]
        .filter(Boolean).join(" · ");
    case "error":
      return job.error || "It failed, and did not say why.";
    default:
      return "Cancelled";
  }
}
