/** What a pointer does on the timeline: click to seek, drag to move on or to choose a loop, wheel and pinch to zoom. */
import { clamp } from "./mix.js";
import { snapped } from "./musical.js";

/** A pointer that moved less, in CSS pixels, has clicked. */
const STILL = 4;

/**
 * @param {HTMLElement} element
 * @param {import("./view.js").View} view
 * @param {{ selects?: boolean }} [options] `selects`: a drag chooses a loop even without shift, as on the ruler.
 */
export function timelineGestures(element, view, { selects = false } = {}) {
  const { session, viewport } = view;
  /** @type {Map<number, number>} Pointer → x. */
  const down = new Map();
  /** @type {{ x: number, time: number, start: number, mode: "" | "pan" | "select" | "pinch", span: number } | null} */
  let drag = null;

  const box = () => element.getBoundingClientRect();
  /** @param {number} x */
  const timeAt = (x) => {
    const { left, width } = box();
    return clamp(viewport.start + ((x - left) / width) * viewport.length, 0, session.duration);
  };
  const spread = () => Math.max(1, Math.abs([...down.values()].reduce((a, b) => a - b)));

  /** @param {number} x */
  const select = (x) => {
    if (!drag) return;
    const ends = [drag.time, timeAt(x)].map((time) => snapped(session.analysis, session.snap, time)).sort((a, b) => a - b);
    view.selection = { start: ends[0], end: ends[1] };
    view.invalidate();
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event.clientX);
    if (down.size === 2 && drag) {
      view.selection = null;
      drag = { ...drag, mode: "pinch", span: spread() };
    } else if (down.size === 1) {
      const mode = event.shiftKey || selects ? "select" : "";
      drag = { x: event.clientX, time: timeAt(event.clientX), start: viewport.start, mode, span: 0 };
    }
  });

  element.addEventListener("pointermove", (event) => {
    if (!drag || !down.has(event.pointerId)) return;
    down.set(event.pointerId, event.clientX);
    const moved = event.clientX - drag.x;
    if (drag.mode === "pinch" && down.size === 2) {
      const span = spread();
      const middle = [...down.values()].reduce((a, b) => a + b) / 2;
      viewport.zoom(drag.span / span, timeAt(middle));
      drag.span = span;
    } else if (drag.mode === "select" && (view.selection || Math.abs(moved) >= STILL)) {
      select(event.clientX);
    } else if (drag.mode !== "select" && (drag.mode === "pan" || Math.abs(moved) >= STILL)) {
      drag.mode = "pan";
      viewport.following = false;
      viewport.show(drag.start - (moved / box().width) * viewport.length, viewport.length);
    }
  });

  /** @param {PointerEvent} event */
  const up = (event) => {
    if (!down.delete(event.pointerId) || !drag) return;
    const { mode, time } = drag;
    const chosen = view.selection;
    if (down.size === 0) drag = null;
    if (mode === "pinch" || mode === "pan") return;
    view.selection = null;
    if (event.type === "pointercancel") view.invalidate();
    else if (chosen && chosen.end > chosen.start) session.setLoop(chosen);
    else session.seek(time);
  };
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);

  element.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      viewport.zoom(Math.exp(clamp(event.deltaY, -40, 40) * 0.008), timeAt(event.clientX));
    } else if (Math.abs(sideways) > (event.shiftKey ? 0 : Math.abs(event.deltaY)) && !viewport.whole) {
      viewport.following = false;
      viewport.scroll((sideways / box().width) * viewport.length);
    } else return;
    event.preventDefault();
  }, { passive: false });
}
