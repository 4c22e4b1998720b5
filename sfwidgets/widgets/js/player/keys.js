/** What the keys do, wherever in the player the focus is, and the list of them. */
import { h } from "../lib/dom.js";
import { laneOf } from "./mix.js";
import { stepped } from "./musical.js";
import { addCue } from "./places.js";

const SEEK = 5;

const LIST = [
  ["Space", "Play or pause"],
  ["← →", "5 seconds back or on"],
  ["Shift + ← →", "One bar back or on"],
  ["Home, End", "To the start, to the end"],
  ["1 to 6", "Mute a stem"],
  ["Shift + 1 to 6", "Solo a stem"],
  ["L", "Loop on or off; without one, the two bars at the playhead"],
  ["Esc", "Forget the loop"],
  ["A", "Stems or the original"],
  ["C", "Click on the beats"],
  ["M", "Cue point at the playhead"],
  ["+ −", "Zoom in or out; also Ctrl and the wheel"],
  ["?", "This list"],
];

/** @param {import("./view.js").View} view @param {{ openKeys: () => void }} dialogs */
export function listenToKeys(view, { openKeys }) {
  const { session, viewport, root } = view;

  /** @type {Record<string, (event: KeyboardEvent) => void>} */
  const actions = {
    " ": () => session.toggle(),
    ArrowLeft: (event) => seek(event.shiftKey ? bar(-1) : session.time - SEEK),
    ArrowRight: (event) => seek(event.shiftKey ? bar(1) : session.time + SEEK),
    Home: () => seek(0),
    End: () => seek(session.duration),
    Escape: () => session.clearLoop(),
    l: () => session.toggleLoop(),
    a: () => session.stems.length && session.change((mix) => void (mix.source = mix.source === "stems" ? "mixture" : "stems")),
    c: () => session.analysis?.beats.length && session.change((mix) => void (mix.click = !mix.click)),
    m: () => addCue(view),
    "+": () => viewport.zoom(1 / 1.6, session.time),
    "-": () => viewport.zoom(1.6, session.time),
    "?": openKeys,
  };

  /** @param {number} time */
  function seek(time) {
    session.seek(time);
    viewport.reveal(session.time);
  }

  /** @param {1 | -1} direction */
  const bar = (direction) => stepped(session.analysis?.downbeats ?? [], session.time, direction, 2);

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("dialog") || target.matches("input:not([type=range]), select, textarea")) return;
    if (target.matches("input") && /^(Arrow|Home|End|Page)/.test(event.key)) return;
    if (event.key === " " && target.matches("button, a, summary")) return;
    const stem = /^(?:Digit|Numpad)([1-6])$/.exec(event.code);
    if (stem) {
      const lane = session.stems[Number(stem[1]) - 1];
      if (!lane) return;
      const now = laneOf(session.mix, lane.name);
      session.setLane(lane.name, event.shiftKey ? { soloed: !now.soloed } : { muted: !now.muted });
    } else {
      const action = actions[keyOf(event)];
      if (!action || (event.repeat && !/^Arrow|[+-]/.test(event.key))) return;
      action(event);
    }
    event.preventDefault();
    event.stopPropagation();
  });

  // After a click the keys go on to mean the player: a space plays, rather than pressing that button again.
  root.addEventListener("click", (event) => {
    const target = /** @type {HTMLElement} */ (event.target).closest(".sf-transport button, .sf-strip button, .sf-zoom button, .sf-jump");
    if (target && event.detail > 0 && document.activeElement === target) {
      /** @type {HTMLElement | null} */ (root.querySelector(".sf-ruler-canvas"))?.focus({ preventScroll: true });
    }
  });
}

/** A letter by what is written on its key, or by its place where that is in another script. @param {KeyboardEvent} event */
function keyOf({ key, code }) {
  if (key === "=" || key === "+") return "+";
  if (key === "_" || key === "-" || key === "−") return "-";
  if (key.length === 1 && key.charCodeAt(0) > 127 && /^Key[A-Z]$/.test(code)) return code.slice(3).toLowerCase();
  return key.length === 1 ? key.toLowerCase() : key;
}

/** @returns {HTMLDialogElement} */
export function keysDialog() {
  const dialog = h("dialog", { class: "sf-dialog sf-keys", "aria-label": "Keys" },
    h("h2", {}, "Keys"),
    h("dl", {}, ...LIST.flatMap(([keys, does]) => [h("dt", {}, h("kbd", {}, keys)), h("dd", {}, does)])),
    h("p", { class: "sf-soft sf-small" }, "Drag on the ruler, or with Shift on a waveform, to choose a loop. Double-click a slider to put it back."),
    h("div", { class: "sf-row sf-dialog-end" }, h("button", { type: "button", class: "sf-primary", autofocus: true, onclick: () => dialog.close() }, "Close")));
  return dialog;
}
