/** The two ends of the loop, to be dragged, or moved by the arrow keys. */
import { clock } from "../lib/format.js";
import { h } from "../lib/dom.js";
import { clamp } from "./mix.js";
import { grid, snapped, stepped } from "./musical.js";

/** @param {import("./view.js").View} view */
export function handles(view) {
  const { session, viewport } = view;
  const ends = /** @type {const} */ (["start", "end"]);

  /** @param {"start" | "end"} end @param {number} time */
  function move(end, time) {
    const loop = session.mix.loop;
    if (!loop) return;
    const moved = { ...loop, [end]: clamp(time, 0, session.duration) };
    if (moved.end - moved.start >= 0.1) session.setLoop(moved);
  }

  const elements = ends.map((end) => {
    const element = h("div", {
      class: `sf-handle sf-handle-${end}`, role: "slider", tabindex: "0", "aria-label": `Loop ${end}`, "aria-valuemin": "0", hidden: true,
      onpointerdown: (/** @type {PointerEvent} */ event) => {
        event.stopPropagation();
        element.setPointerCapture(event.pointerId);
      },
      onpointermove: (/** @type {PointerEvent} */ event) => {
        if (!element.hasPointerCapture(event.pointerId)) return;
        const { left, width } = /** @type {HTMLElement} */ (element.parentElement).getBoundingClientRect();
        const time = viewport.start + ((event.clientX - left) / width) * viewport.length;
        move(end, snapped(session.analysis, session.snap, time));
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!direction) return;
        event.preventDefault();
        event.stopPropagation();
        const now = session.mix.loop?.[end] ?? 0;
        move(end, stepped(grid(session.analysis, session.snap), now, direction > 0 ? 1 : -1, 0.1));
      },
    });
    return element;
  });

  /** @param {number} width */
  function place(width) {
    const loop = session.mix.loop;
    ends.forEach((end, i) => {
      const element = elements[i];
      const x = loop ? ((loop[end] - viewport.start) / viewport.length) * width : -1;
      element.hidden = !loop || x < 0 || x > width;
      if (!loop || element.hidden) return;
      element.style.transform = `translateX(${x.toFixed(1)}px)`;
      element.setAttribute("aria-valuenow", loop[end].toFixed(2));
      element.setAttribute("aria-valuemax", session.duration.toFixed(1));
      element.setAttribute("aria-valuetext", clock(loop[end]));
    });
  }
  return { elements, place };
}
