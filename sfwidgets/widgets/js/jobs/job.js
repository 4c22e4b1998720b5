import { h } from "../lib/dom.js";
import { JobRow, done } from "./row.js";
import { Silence } from "./silence.js";

/**
 * One job and those that follow from it.
 * @param {import("../lib/channel.js").Model} model
 * @param {import("../lib/channel.js").Channel} channel
 */
export function jobView(model, channel) {
  /** @type {Map<string, JobRow>} */
  let rows = new Map();
  const list = h("div", { class: "sf-jobs" });
  const fault = h("div", { class: "sf-fault", role: "alert", hidden: true });
  /** @type {() => import("./row.js").Job[]} */
  const jobs = () => model.get("jobs");

  /** @param {string} name @param {string} job */
  const act = async (name, job) => {
    fault.hidden = true;
    try {
      await channel.ask(name, { job });
      return true;
    } catch (error) {
      fault.textContent = /** @type {Error} */ (error).message;
      fault.hidden = false;
      return false;
    }
  };
  const acts = {
    /** @param {string} id */ cancel: (id) => act("cancel", id),
    /** @param {string} id */ retry: (id) => act("retry", id),
    /** @param {string} id */ failed: async (id) => (await channel.ask("failed", { job: id })).value,
  };
  /** @param {import("./row.js").Job[]} told */
  const show = (told) => {
    rows = new Map(told.map((job) => [job.id, rows.get(job.id) ?? new JobRow(acts)]));
    for (const job of told) rows.get(job.id)?.show(job);
    const elements = [...rows.values()].map((row) => row.element);
    if (elements.length !== list.children.length || elements.some((element, at) => list.children[at] !== element)) {
      list.replaceChildren(...elements);
    }
  };
  const silence = new Silence({
    ask: async () => show((await channel.ask("state", {}, { patience: 10 })).value),
    waiting: () => jobs().some((job) => !done(job)),
  });
  const changed = () => {
    silence.heard();
    show(jobs());
  };
  const faulted = () => {
    if (model.get("fault")) silence.say(model.get("fault"));
  };
  model.on("change:jobs", changed);
  model.on("change:fault", faulted);
  changed();
  faulted();
  return {
    element: h("div", {}, list, silence.element, fault),
    close: () => {
      silence.close();
      model.off("change:jobs", changed);
      model.off("change:fault", faulted);
    },
  };
}
