/** A row a stem: its strip, and its waveform. */
import { h } from "../lib/dom.js";
import { timelineGestures } from "./gestures.js";
import { drawCueLines, drawGrid, drawLoop, leftEdge } from "./gridlines.js";
import { audible } from "./mix.js";
import { laneTitle, tokenOf } from "./palette.js";
import { drawOutline } from "./pyramid.js";
import { strip } from "./strip.js";
import { playhead, surface } from "./surface.js";

/** @param {import("./view.js").View} view @returns {import("./view.js").Part} */
export function lanes(view) {
  const { session } = view;
  const element = h("div", { class: "sf-lanes" });
  /** @type {ReturnType<typeof row>[]} */
  let rows = [];

  function build() {
    for (const old of rows) old.surface.close();
    const shown = session.stems.length ? session.stems : session.track.lanes.slice(0, 1);
    rows = shown.map((lane, i) => row(view, lane, i));
    element.replaceChildren(...rows.map((made) => made.element));
  }

  return {
    element,
    update(event) {
      if (event === "track") build();
      if (event === "mix" || event === "track") for (const made of rows) made.strip.update();
    },
    draw: () => rows.forEach((made) => made.draw()),
    tick(time) {
      const levels = view.session.playing || moving(rows) ? session.levels() : null;
      const x = ((time - view.viewport.start) / view.viewport.length) * (rows[0]?.surface.width ?? 0);
      for (const made of rows) {
        made.playhead.move(x, made.surface.width);
        made.strip.meter(levels);
      }
      return moving(rows);
    },
  };
}

/** @param {ReturnType<typeof row>[]} rows */
const moving = (rows) => rows.some((made) => made.strip.moving());

/** @param {import("./view.js").View} view @param {import("./backing.js").TrackLane} lane @param {number} index */
function row(view, lane, index) {
  const { session } = view;
  const token = tokenOf(lane.type);
  const drawn = surface(view, { class: "sf-wave-canvas", role: "img", "aria-label": `Waveform of ${laneTitle(lane.name)}` });
  const head = playhead();
  const wave = h("div", { class: "sf-wave" }, drawn.canvas, head.element);
  timelineGestures(wave, view);
  const made = strip(view, lane, index);
  const element = h("div", {
    class: "sf-lane", role: "group", "aria-label": laneTitle(lane.name), style: `--lane: var(--sf-${token})`, "data-lane": lane.name,
  }, made.element, wave);

  function draw() {
    if (!drawn.clear()) return;
    const { context, width, height, ratio } = drawn;
    const { start, perPixel } = leftEdge(view, drawn);
    const heard = lane.group === "mixture" || audible(session.mix, lane.name);
    element.classList.toggle("sf-unheard", !heard);
    drawGrid(view, drawn, start);
    drawLoop(view, drawn, start);
    const outline = session.peaks.get(lane.name);
    if (outline) {
      const colour = view.colour(heard ? token : "ink-soft");
      context.globalAlpha = heard ? 1 : 0.45;
      const inset = 5 * ratio;
      drawOutline(context, outline, { start, perPixel, colour, width: width * ratio, top: inset, height: height * ratio - 2 * inset });
      context.globalAlpha = 1;
    }
    drawCueLines(view, drawn, start);
  }
  return { element, strip: made, surface: drawn, playhead: head, draw };
}
