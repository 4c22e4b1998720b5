/** The analysis of a track: in step with a player, the numbers, corrections, the picture and files. */
import "./style.css";
import { Channel } from "../lib/channel.js";
import { followTheme, h, keepKeys } from "../lib/dom.js";
import { whenPlayer } from "../lib/players.js";
import { jobLine } from "../views/job.js";
import { corrections } from "./correct.js";
import { exportButtons } from "./exports.js";
import { numbers } from "./numbers.js";
import { overviewPicture } from "./picture.js";
import { inStep } from "./step.js";

let made = 0;

/** @param {{ model: import("../lib/channel.js").Model, el: HTMLElement }} given */
function render({ model, el }) {
  const id = `sf-analysis-${++made}`;
  const channel = new Channel(model);
  /** @type {import("../lib/players.js").Playing | null} */
  let player = null;
  /** @type {any} */
  let found = null;
  let asked = 0;
  let frame = 0;
  /** @type {ReturnType<typeof inStep> | null} */
  let step = null;
  /** @type {{ chosen: string }} */
  let tab = { chosen: "" };

  const title = h("h3", { class: "sf-title" }, "Analysis");
  const again = h("button", { type: "button", class: "sf-plain", onclick: analyse }, "Analyse again");
  const fault = h("p", { class: "sf-fault", role: "alert" });
  const retry = h("button", { type: "button", onclick: load }, "Try again");
  const failed = h("div", { class: "sf-failed", hidden: true }, fault, retry);
  const status = h("p", { class: "sf-soft", role: "status" }, "Reading the analysis…");
  const start = h("button", { type: "button", class: "sf-primary", onclick: analyse }, "Analyse it");
  const missing = h("div", { class: "sf-missing", hidden: true },
    h("p", {}, "This track has no analysis yet. It tells tempo, beats, key, chords, sections and loudness, and takes a moment."), start);
  const notices = h("div", { class: "sf-notices" });
  const stepPlace = h("div");
  const numberPlace = h("div");
  const correct = corrections((said) => channel.ask("correct", { said }).then(load), () => player?.time ?? null, id);
  const picture = overviewPicture(channel);
  const body = h("div", { class: "sf-body", hidden: true }, stepPlace, numberPlace, correct.element,
    h("section", {}, h("h4", {}, "At a glance"), picture.element),
    h("section", {}, h("h4", {}, "Take it with you"), exportButtons(channel)));
  const job = jobLine(model, channel, (running) => (start.disabled = again.disabled = running));
  const root = h("div", { class: "sf sf-analysis" },
    h("div", { class: "sf-row sf-head" }, title, again), failed, status, missing, job.element, notices, body);
  const endTheme = followTheme(root, () => found && picture.show(root.dataset.theme ?? "light"));
  keepKeys(root);
  el.append(root);

  async function load() {
    const mine = ++asked;
    try {
      const { value } = await channel.ask("analysis");
      if (mine === asked) show(value);
    } catch (error) {
      if (mine === asked) fail(error);
    }
  }

  async function analyse() {
    try {
      failed.hidden = true;
      await channel.ask("analyze");
    } catch (error) {
      fail(error);
    }
  }

  /** @param {any} error */
  function fail(error) {
    fault.textContent = error.message;
    failed.hidden = false;
    status.hidden = true;
  }

  /** @param {any} value */
  function show(value) {
    const ready = value.state === "ready";
    failed.hidden = true;
    missing.hidden = value.state !== "missing";
    body.hidden = again.hidden = notices.hidden = !ready;
    status.hidden = value.state !== "none";
    status.textContent = "Open a track to see its analysis.";
    title.textContent = value.title ? `Analysis of ${value.title}` : "Analysis";
    found = ready ? value : null;
    if (!ready) return;
    notices.replaceChildren(...value.notices.map((/** @type {string} */ notice) => h("p", { class: "sf-notice" }, notice)));
    drawStep();
    const shown = numbers(value, id, tab.chosen);
    const focused = root.contains(document.activeElement) ? document.activeElement?.id : "";
    tab = shown.state;
    numberPlace.replaceChildren(shown.element);
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
    correct.update(value.corrections);
    picture.show(root.dataset.theme ?? "light");
  }

  function drawStep() {
    const playing = player;
    step = inStep(found, playing && ((seconds) => playing.seek(seconds)));
    stepPlace.replaceChildren(step.element);
    follow();
  }

  function follow() {
    cancelAnimationFrame(frame);
    if (!player || !step) return;
    step.show(player.time, player.playing);
    if (player.playing) frame = requestAnimationFrame(follow);
  }

  /** @param {import("../lib/players.js").Playing} playing */
  function take(playing) {
    player?.removeEventListener("time", follow);
    player?.removeEventListener("state", follow);
    player = playing;
    player.addEventListener("time", follow);
    player.addEventListener("state", follow);
    if (!found) return;
    drawStep();
    correct.update(found.corrections);
  }

  const key = model.get("player_key");
  const endPlayer = key ? whenPlayer(key, take) : () => {};
  model.on("change:revision", load);
  const resized = new ResizeObserver(() => player && !player.playing && follow());
  resized.observe(root);
  load();

  return () => {
    cancelAnimationFrame(frame);
    player?.removeEventListener("time", follow);
    player?.removeEventListener("state", follow);
    model.off("change:revision", load);
    resized.disconnect();
    endPlayer();
    endTheme();
    job.close();
    picture.close();
    channel.close();
    root.remove();
  };
}

export default { render };
