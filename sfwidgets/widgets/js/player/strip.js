/** One stem's strip: mute, solo, volume, pan and level. */
import { h } from "../lib/dom.js";
import { meter } from "./meter.js";
import { decibels, laneOf } from "./mix.js";
import { laneTitle } from "./palette.js";
import { slider } from "./slider.js";

/** @param {import("./view.js").View} view @param {import("./backing.js").TrackLane} lane @param {number} index */
export function strip(view, lane, index) {
  const { session } = view;
  const title = laneTitle(lane.name);
  const level = meter();
  const name = h("span", { class: "sf-lane-name", title }, title);
  if (lane.group === "mixture") {
    const element = h("div", { class: "sf-strip" }, h("div", { class: "sf-strip-head" }, name), level.element);
    return { element, update() {}, meter: heard, moving: level.moving };
  }

  const number = index < 6 ? ` (${index + 1})` : "";
  const mute = h("button", {
    class: "sf-mute", type: "button", "aria-label": `Mute ${title}`, title: `Mute${number}`,
    onclick: () => session.setLane(lane.name, { muted: !settings().muted }),
  }, "M");
  const solo = h("button", {
    class: "sf-solo", type: "button", "aria-label": `Solo ${title}`, title: `Solo${number && ` (shift+${index + 1})`}`,
    onclick: () => session.setLane(lane.name, { soloed: !settings().soloed }),
  }, "S");
  const volume = slider({
    label: `Volume of ${title}`, min: 0, max: 2, step: 0.01, plain: 1, say: decibels,
    change: (value) => session.setLane(lane.name, { volume: value }),
  });
  const pan = slider({
    label: `Pan of ${title}`, min: -1, max: 1, step: 0.02, plain: 0, say: panned, centred: true,
    change: (value) => session.setLane(lane.name, { pan: value }),
  });
  const element = h("div", { class: "sf-strip" },
    h("div", { class: "sf-strip-head" }, name, mute, solo),
    h("div", { class: "sf-strip-faders" }, volume.element, volume.value,
      h("span", { class: "sf-pan" }, h("span", { "aria-hidden": "true" }, "L"), pan.element, h("span", { "aria-hidden": "true" }, "R"))),
    level.element);

  const settings = () => laneOf(session.mix, lane.name);
  function update() {
    const now = settings();
    mute.setAttribute("aria-pressed", String(now.muted));
    solo.setAttribute("aria-pressed", String(now.soloed));
    volume.set(now.volume);
    pan.set(now.pan);
  }
  /** @param {Record<string, [number, number]> | null} levels */
  function heard(levels) {
    level.show(levels?.[lane.name] ?? null);
  }
  return { element, update, meter: heard, moving: level.moving };
}

/** @param {number} pan */
function panned(pan) {
  return Math.abs(pan) < 0.01 ? "Centre" : `${Math.round(Math.abs(pan) * 100)} % ${pan < 0 ? "left" : "right"}`;
}
