/** A canvas as sharp as the screen, that knows its size. */
import { h } from "../lib/dom.js";

/**
 * @param {import("./view.js").View} view @param {Record<string, any>} [properties]
 */
export function surface(view, properties = {}) {
  const canvas = h("canvas", properties);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const made = {
    canvas,
    context,
    /** In CSS pixels. */
    width: 0,
    height: 0,
    /** Device pixels in one of CSS. */
    ratio: 1,
    /** Empty it, at the size it has now; false where it has none. */
    clear() {
      const { width, height } = made;
      made.ratio = window.devicePixelRatio || 1;
      const wide = Math.round(width * made.ratio);
      const high = Math.round(height * made.ratio);
      if (canvas.width !== wide || canvas.height !== high) {
        canvas.width = wide;
        canvas.height = high;
      } else {
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.clearRect(0, 0, wide, high);
      }
      return wide > 0 && high > 0;
    },
    close: () => view.unwatch(canvas),
  };
  view.watch(canvas, (width, height) => Object.assign(made, { width, height }));
  return made;
}

/** @typedef {ReturnType<typeof surface>} Surface */

/** A playhead over a canvas: a layer of its own, moved without drawing anything anew. */
export function playhead() {
  const element = h("div", { class: "sf-playhead", "aria-hidden": "true" });
  let shown = "";
  return {
    element,
    /** @param {number} x In CSS pixels. @param {number} width */
    move(x, width) {
      const place = x < 0 || x > width ? "hidden" : `translateX(${x.toFixed(1)}px)`;
      if (place === shown) return;
      shown = place;
      element.style.visibility = place === "hidden" ? "hidden" : "visible";
      if (place !== "hidden") element.style.transform = place;
    },
  };
}
