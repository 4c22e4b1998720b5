/** The job that a view follows (`following.FollowingView`): how far it is, cancel, and what to do when it failed. */
import "./job.css";
import { Silence } from "../jobs/silence.js";
import { h } from "../lib/dom.js";

const WHAT = { analysis: "Analysing", processing: "Separating", model: "Fetching the model", download: "Fetching" };
/** Seconds of silence after which the page asks whether the kernel still lives. */
const QUIET = 20;

/**
 * @param {import("../lib/channel.js").Model} model
 * @param {import("../lib/channel.js").Channel} channel
 * @param {(running: boolean) => void} [changed] Called whenever work starts or ends.
 */
export function jobLine(model, channel, changed = () => {}) {
  const words = h("span", { class: "sf-run-words", role: "status" });
  const bar = h("progress", { max: 100, value: 0, "aria-label": "How far it is" });
  const cancel = h("button", { type: "button", onclick: () => ask("cancel") }, "Cancel");
  const retry = h("button", { type: "button", class: "sf-primary", onclick: () => ask("retry") }, "Try again");
  const dismiss = h("button", { type: "button", onclick: () => ask("dismiss") }, "Dismiss");
  const fault = h("p", { class: "sf-fault", role: "alert", hidden: true });
  const element = h("div", { class: "sf-run", hidden: true }, h("div", { class: "sf-row" }, words, bar, cancel, retry, dismiss), fault);
  let busy = false;
  const silence = new Silence({
    ask: async () => show((await channel.ask("job", {}, { patience: 60 })).value),
    waiting: () => busy,
    seconds: QUIET,
  });
  element.append(silence.element);

  /** @param {string} name */
  async function ask(name) {
    try {
      await channel.ask(name);
      fault.hidden = true;
    } catch (error) {
      say(error);
    }
  }

  /** @param {any} error */
  function say(error) {
    fault.textContent = error.message;
    fault.hidden = false;
  }

  /** @param {any} job */
  function show(job) {
    silence.heard();
    const there = Boolean(job?.id);
    const running = there && (job.status === "queued" || job.status === "processing");
    busy = running;
    element.hidden = !there;
    changed(running);
    if (!there) return;
    bar.hidden = cancel.hidden = !running;
    retry.hidden = dismiss.hidden = running;
    fault.hidden = true;
    if (running) {
      const what = WHAT[/** @type {keyof typeof WHAT} */ (job.kind)] ?? "Working";
      words.textContent = job.status === "queued" ? `${what}: waiting for its turn` : `${what}: ${job.stage || "starting"}, ${job.progress} %`;
      bar.value = job.progress;
    } else {
      words.textContent = job.status === "cancelled" ? "Cancelled." : job.error || "It failed.";
    }
  }

  const take = () => show(model.get("job"));
  model.on("change:job", take);
  take();
  return {
    element,
    close() {
      silence.close();
      model.off("change:job", take);
    },
  };
}
