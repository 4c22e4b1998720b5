/** The whole track in one strip, with a frame around what is visible below. */
import { h } from "../lib/dom.js";
import { clamp } from "./mix.js";
import { sectionTokens } from "./palette.js";
import { drawOutline } from "./pyramid.js";
import { playhead, surface } from "./surface.js";
import { icon } from "./icons.js";

/** @param {import("./view.js").View} view @returns {import("./view.js").Part} */
export function overview(view) {
  const { session, viewport } = view;
  const drawn = surface(view, { class: "sf-overview-canvas", role: "img", "aria-label": "The whole track" });
  const frame = h("div", { class: "sf-frame", "aria-hidden": "true" });
  const head = playhead();
  const strip = h("div", { class: "sf-overview-wave" }, drawn.canvas, frame, head.element);
  const middle = () => (session.time >= viewport.start && session.time <= viewport.end ? session.time : viewport.start + viewport.length / 2);
  const zoom = h("div", { class: "sf-zoom", role: "group", "aria-label": "Zoom" },
    h("button", { type: "button", "aria-label": "Zoom out", title: "Zoom out (−)", onclick: () => viewport.zoom(1.6, middle()) }, icon("minus")),
    h("button", { type: "button", "aria-label": "Zoom in", title: "Zoom in (+)", onclick: () => viewport.zoom(1 / 1.6, middle()) }, icon("plus")),
    h("button", { type: "button", "aria-label": "All of the track", title: "Show all of the track", onclick: () => viewport.show(0, viewport.duration) }, "All"));
  const element = h("div", { class: "sf-overview" }, zoom, strip);

  /** Where in the frame it was taken. @type {number | null} */
  let held = null;
  /** @param {PointerEvent} event */
  const timeOf = (event) => {
    const { left, width } = strip.getBoundingClientRect();
    return clamp((event.clientX - left) / width, 0, 1) * session.duration;
  };
  strip.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const time = timeOf(event);
    strip.setPointerCapture(event.pointerId);
    if (viewport.whole || time < viewport.start || time > viewport.end) {
      session.seek(time);
      viewport.show(time - viewport.length / 2, viewport.length);
    }
    held = time - viewport.start;
  });
  strip.addEventListener("pointermove", (event) => {
    if (held === null || viewport.whole) return;
    viewport.following = false;
    viewport.show(timeOf(event) - held, viewport.length);
  });
  for (const end of ["pointerup", "pointercancel"]) strip.addEventListener(end, () => (held = null));

  let stale = true;
  function drawTrack() {
    const { context, width, height, ratio } = drawn;
    const scale = (width * ratio) / session.duration;
    const sections = session.analysis?.sections ?? [];
    const tokens = sectionTokens(sections);
    for (const { label, start, end } of sections) {
      context.fillStyle = view.colour(tokens.get(label) ?? "other");
      context.globalAlpha = 0.16;
      context.fillRect(Math.round(start * scale), 0, Math.round(end * scale) - Math.round(start * scale), height * ratio);
    }
    context.globalAlpha = 1;
    const loop = view.selection ?? session.mix.loop;
    if (loop) {
      context.fillStyle = view.colour("accent");
      context.globalAlpha = 0.3;
      context.fillRect(loop.start * scale, 0, (loop.end - loop.start) * scale, height * ratio);
      context.globalAlpha = 1;
    }
    const outline = session.peaks.get("mixture");
    if (outline) {
      const colour = view.colour("mixture");
      drawOutline(context, outline, { start: 0, perPixel: 1 / scale, colour, width: width * ratio, top: 2 * ratio, height: (height - 4) * ratio });
    }
  }

  let drawnFor = "";
  return {
    element,
    update(event) {
      if (event !== "time") stale = true;
    },
    draw() {
      const now = [drawn.width, drawn.height, window.devicePixelRatio, view.root.dataset.theme, JSON.stringify(view.selection)].join(" ");
      if (stale || now !== drawnFor) {
        if (drawn.clear()) drawTrack();
        stale = false;
        drawnFor = now;
      }
      const scale = drawn.width / session.duration;
      frame.style.visibility = viewport.whole ? "hidden" : "visible";
      frame.style.transform = `translateX(${(viewport.start * scale).toFixed(1)}px)`;
      frame.style.width = `${Math.max(6, viewport.length * scale).toFixed(1)}px`;
    },
    tick: (time) => head.move((time / session.duration) * drawn.width, drawn.width),
  };
}
