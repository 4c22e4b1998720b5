/** Two separations of one track: switch between them at the playhead, see where they differ, and how good each is. */
import "./style.css";
import { Channel } from "../lib/channel.js";
import { followTheme, h, keepKeys } from "../lib/dom.js";
import { clock } from "../lib/format.js";
import { jobLine } from "../views/job.js";
import { anotherSet } from "./again.js";
import { blindTest } from "./blind.js";
import { Deck } from "./deck.js";
import { scoreTable } from "./scores.js";
import { waves } from "./waves.js";

/** Seconds that the arrow keys go, and that a loop without a drag lasts. */
const STEP = 5;
const LOOP = 4;

let made = 0;

/** @param {{ model: import("../lib/channel.js").Model, el: HTMLElement }} given */
function render({ model, el }) {
  const id = `sf-compare-${++made}`;
  const channel = new Channel(model);
  const deck = new Deck(channel);
  /** @type {any} */
  let found = null;
  let asked = 0;
  let frame = 0;

  const title = h("h3", { class: "sf-title" }, "Compare");
  const fault = h("p", { class: "sf-fault", role: "alert" });
  const retry = h("button", { type: "button", onclick: load }, "Try again");
  const failed = h("div", { class: "sf-failed", hidden: true }, fault, retry);
  const status = h("p", { class: "sf-soft", role: "status" }, "Looking for stems…");
  const chosen = { a: sideSelect("A"), b: sideSelect("B") };
  const swap = h("button", { type: "button", onclick: () => choose(chosen.b.value, chosen.a.value) }, "Swap");
  const sides = h("div", { class: "sf-sides" }, field("A", chosen.a, "sf-side-a"), field("B", chosen.b, "sf-side-b"), swap);

  const play = h("button", { type: "button", class: "sf-primary sf-play", "aria-keyshortcuts": "Space", onclick: () => deck.toggle() }, "Play");
  const place = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, "aria-label": "Playhead", oninput: () => deck.seek(Number(place.value)) });
  const times = h("span", { class: "sf-numbers sf-time" }, "0:00 / 0:00");
  const buttons = /** @type {const} */ ([["A", "A"], ["B", "B"], ["mixture", "Original"]]).map(([side, name]) =>
    h("button", { type: "button", "aria-pressed": "false", "data-side": side, "aria-keyshortcuts": name[0] === "O" ? "M" : name, onclick: () => deck.choose(side) }, name));
  const listen = h("div", { class: "sf-row sf-listen", role: "group", "aria-label": "Listen to" }, ...buttons);
  const stem = h("select", { id: `${id}-stem`, onchange: () => (deck.listenTo(stem.value), marks(), measure()) });
  const loop = h("button", { type: "button", "aria-pressed": "false", "aria-keyshortcuts": "L", onclick: toggleLoop }, "Loop");
  const blindly = h("button", { type: "button", "aria-pressed": "false", onclick: () => blind.set(!blind.state.on) }, "Blind test");
  const lacking = h("p", { class: "sf-small sf-soft", role: "status" });
  const shapes = waves(deck, channel);
  const scores = scoreTable(channel);
  const blind = blindTest(deck, showBlind, () => ({ a: labelOf(found.a), b: labelOf(found.b) }));
  const more = anotherSet(channel, id, fail);
  const job = jobLine(model, channel, (running) => more.busy(running));
  const keys = h("p", { class: "sf-small sf-soft sf-keys" }, "Keys: Space plays; A, B and M switch; L loops; the arrows go 5 s. Drag over the waveforms to choose a loop.");
  const making = h("section", { class: "sf-more" }, more.element, job.element);
  const body = h("div", { class: "sf-body", hidden: true }, sides,
    h("div", { class: "sf-transport" }, play, place, times),
    h("div", { class: "sf-row" }, listen, h("span", { class: "sf-gap" }), h("label", { for: stem.id, class: "sf-soft" }, "Stem"), stem, loop, blindly),
    lacking, blind.panel, blind.result, shapes.element, scores.element, keys);
  const root = h("div", { class: "sf sf-compare", tabindex: -1, onkeydown: onKey },
    title, failed, status, body, making);
  const endTheme = followTheme(root, shapes.draw);
  keepKeys(root);
  el.append(root);

  async function load() {
    const mine = ++asked;
    try {
      const { value } = await channel.ask("comparison", {}, { patience: 120 });
      if (mine !== asked) return;
      found = value;
      await show();
    } catch (error) {
      if (mine === asked) fail(error);
    }
  }

  async function show() {
    failed.hidden = status.hidden = true;
    body.hidden = false;
    title.textContent = `Compare · ${found.title}`;
    for (const side of /** @type {const} */ (["a", "b"])) {
      chosen[side].replaceChildren(...found.choices.map((/** @type {any} */ choice) => h("option", { value: choice.id }, choice.label)));
      chosen[side].value = found[side];
      chosen[side].title = labelOf(found[side]);
    }
    const stems = [...new Set(found.lanes.filter((/** @type {any} */ lane) => lane.stem !== "mixture").map((/** @type {any} */ lane) => lane.stem))];
    stem.replaceChildren(h("option", { value: "" }, "all together"), ...stems.map((name) => h("option", { value: name }, name)));
    stem.value = stems.includes(deck.stem) ? deck.stem : "";
    deck.listenTo(stem.value);
    await deck.load(found);
    place.max = String(deck.duration);
    marks();
    measure();
    scores.load();
  }

  function measure() {
    shapes.load({ a: found.a, b: found.b, stem: stem.value, columns: found.columns });
  }

  /** @param {string} a @param {string} b */
  function choose(a, b) {
    model.set("a", a);
    model.set("b", b);
    model.save_changes();
    load();
  }

  /** @param {any} error */
  function fail(error) {
    fault.textContent = error.message;
    failed.hidden = false;
    status.hidden = true;
  }

  /** @param {boolean} on */
  function showBlind(on) {
    blindly.setAttribute("aria-pressed", String(on));
    for (const told of [sides, listen, shapes.element, scores.element, keys, making]) told.hidden = on;
    if (!on) shapes.draw();
    marks();
  }

  /** @param {string} set */
  function labelOf(set) {
    return found.choices.find((/** @type {any} */ choice) => choice.id === set)?.label ?? "";
  }

  function marks() {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.side === deck.side));
    loop.setAttribute("aria-pressed", String(Boolean(deck.loop)));
    const without = ["A", "B"].filter((side) => found && !deck.has(side));
    lacking.textContent = without.length && !blind.state.on ? `${without.join(" and ")} ${without.length === 1 ? "has" : "have"} no stem “${stem.value}”: nothing is heard there.` : "";
    lacking.hidden = lacking.textContent === "";
  }

  function toggleLoop() {
    const start = Math.max(0, Math.min(deck.time, deck.duration - LOOP));
    deck.setLoop(deck.loop ? null : { start, end: Math.min(deck.duration, start + LOOP) });
  }

  function move() {
    cancelAnimationFrame(frame);
    play.textContent = deck.playing ? "Pause" : "Play";
    if (document.activeElement !== place || deck.playing) place.value = String(deck.time);
    place.setAttribute("aria-valuetext", `${clock(deck.time)} of ${clock(deck.duration)}`);
    times.textContent = `${clock(deck.time)} / ${clock(deck.duration)}`;
    shapes.move();
    if (deck.playing) frame = requestAnimationFrame(move);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const on = /** @type {HTMLElement} */ (event.target);
    if (!found || event.ctrlKey || event.metaKey || event.altKey || on.matches("select, input:not([type=range])")) return;
    const key = event.key.toLowerCase();
    const arrow = !on.matches("input") && { arrowleft: -STEP, arrowright: STEP }[key];
    if (key === " " && !on.matches("button, summary")) deck.toggle();
    else if (arrow) deck.seek(deck.time + arrow);
    else if (key === "l") toggleLoop();
    else if (blind.state.on && (key === "x" || key === "y")) blind.listen(key === "x" ? 0 : 1);
    else if (!blind.state.on && (key === "a" || key === "b" || key === "m")) deck.choose(key === "a" ? "A" : key === "b" ? "B" : "mixture");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {"A" | "B"} side */
  function sideSelect(side) {
    return h("select", { id: `${id}-${side}`, onchange: () => choose(chosen.a.value, chosen.b.value) });
  }

  deck.addEventListener("time", move);
  deck.addEventListener("state", move);
  deck.addEventListener("side", marks);
  deck.addEventListener("loop", () => (marks(), shapes.move()));
  deck.addEventListener("fault", (event) => fail(/** @type {CustomEvent} */ (event).detail));
  deck.addEventListener("stall", (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    if (detail.message) fail(detail);
    else failed.hidden = true;
  });
  const changed = () => {
    if (found && model.get("a") === found.a && model.get("b") === found.b) return;
    load();
  };
  const events = /** @type {[string, () => void][]} */ ([["change:revision", load], ["change:a", changed], ["change:b", changed]]);
  for (const [event, listener] of events) model.on(event, listener);
  load();
  more.load();

  return () => {
    cancelAnimationFrame(frame);
    for (const [event, listener] of events) model.off(event, listener);
    deck.close();
    shapes.close();
    job.close();
    endTheme();
    channel.close();
    root.remove();
  };
}

/** @param {string} title @param {HTMLElement} input @param {string} kind */
function field(title, input, kind) {
  return h("div", { class: `sf-side ${kind}` }, h("label", { for: input.id }, title), input);
}

export default { render };
