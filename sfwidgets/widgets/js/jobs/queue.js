import { h } from "../lib/dom.js";
import { whileSeen } from "./seen.js";
import { JobRow, done } from "./row.js";

const EVERY = 2000;

/**
 * The jobs of a library: asked for at the start, and again and again while they are looked at.
 * @param {import("../lib/channel.js").Model} model
 * @param {import("../lib/channel.js").Channel} channel
 */
export function queueView(model, channel) {
  /** @type {Map<string, JobRow>} */
  let rows = new Map();
  const list = h("div", { class: "sf-jobs", role: "list", "aria-label": "Jobs" });
  const empty = h("p", { class: "sf-empty sf-soft", hidden: true }, "No jobs yet. What you import, separate or analyse shows up here.");
  const count = h("span", { class: "sf-soft sf-small" });
  const clear = h("button", { class: "sf-plain sf-small", hidden: true, onclick: () => ask("clear") }, "Clear finished");
  const fault = h("div", { class: "sf-fault", role: "alert", hidden: true });
  const silence = h("div", { class: "sf-notice sf-row sf-silence", role: "status", hidden: true });

  /** @param {string} name @param {Record<string, any>} [given] */
  const ask = async (name, given) => {
    fault.hidden = true;
    try {
      show((await channel.ask(name, given)).value);
      return true;
    } catch (error) {
      fault.textContent = /** @type {Error} */ (error).message;
      fault.hidden = false;
      return false;
    }
  };
  const acts = {
    /** @param {string} job */ cancel: (job) => ask("cancel", { job }),
    /** @param {string} job */ retry: (job) => ask("retry", { job }),
    /** @param {string} job */ failed: async (job) => (await channel.ask("failed", { job })).value,
  };
  /** @param {import("./row.js").Job[]} jobs */
  const show = (jobs) => {
    rows = new Map(jobs.map((job) => [job.id, rows.get(job.id) ?? new JobRow(acts)]));
    let at = 0;
    for (const job of jobs) {
      const { element } = /** @type {JobRow} */ (rows.get(job.id));
      rows.get(job.id)?.show(job);
      element.setAttribute("role", "listitem");
      if (list.children[at] !== element) list.insertBefore(element, list.children[at] ?? null);
      at += 1;
    }
    while (list.children.length > at) list.lastElementChild?.remove();
    const open = jobs.filter((job) => !done(job)).length;
    count.textContent = open ? `${open} running or waiting` : "";
    empty.hidden = jobs.length > 0;
    list.hidden = jobs.length === 0;
    clear.hidden = open === jobs.length;
  };
  const retry = h("button", { onclick: () => seen.now() }, "Ask again");
  const element = h("div", {}, h("div", { class: "sf-row sf-head" }, count, clear), list, empty, silence, fault);
  const seen = whileSeen(element, EVERY, async () => {
    try {
      show((await channel.ask("jobs", {}, { patience: 10 })).value);
      silence.hidden = true;
    } catch (error) {
      const { code, message } = /** @type {import("../lib/channel.js").AskError} */ (error);
      if (code === "closed") return;
      silence.replaceChildren(h("span", {}, code === "no_answer" ? `${message} The jobs themselves go on.` : message), retry);
      silence.hidden = false;
    }
  }, channel);
  model.on("change:version", seen.now);
  seen.now();
  return {
    element,
    close: () => {
      model.off("change:version", seen.now);
      seen.close();
    },
  };
}
