/**
 * One picture of a session: what its parts share, and when they are drawn.
 *
 * A part is made by a function of the view, and may have `update(event)`, called with the name of what changed in the
 * session (all of it: "track"), `draw()`, called once a frame after a change, and `tick(time)`, called while time goes on.
 *
 * @typedef {object} Part
 * @property {HTMLElement} element
 * @property {(event: string) => void} [update]
 * @property {() => void} [draw]
 * @property {(time: number) => boolean | void} [tick] True: something still moves by itself.
 * @property {() => void} [close]
 */
import { followTheme } from "../lib/dom.js";
import { palette } from "./palette.js";
import { Viewport } from "./viewport.js";

const EVENTS = ["track", "analysis", "peaks", "mix", "cues", "time", "state", "fault"];

export class View {
  /** @param {HTMLElement} root @param {import("./session.js").Session} session */
  constructor(root, session) {
    this.root = root;
    this.session = session;
    this.viewport = new Viewport();
    /** @type {Part[]} */
    this.parts = [];
    /** A loop that is being dragged. @type {{ start: number, end: number } | null} */
    this.selection = null;
    this.colour = palette(root);
    /** The frames that were asked for. @type {number | undefined} */
    this.drawing = undefined;
    /** @type {number | undefined} */
    this.running = undefined;
    /** @type {Map<Element, (width: number, height: number) => void>} */
    this.watched = new Map();
    this.sizes = new ResizeObserver((entries) => {
      for (const { target, contentRect } of entries) this.watched.get(target)?.(contentRect.width, contentRect.height);
      this.draw();
    });
    this.stopTheme = followTheme(root, () => {
      this.colour = palette(root);
      this.invalidate();
    });
    this.listener = (/** @type {Event} */ event) => this.update(event.type);
    for (const event of EVENTS) session.addEventListener(event, this.listener);
    this.viewport.addEventListener("change", () => this.invalidate());
  }

  /** Begin, once all parts are there. @param {Part[]} parts */
  begin(parts) {
    this.parts = parts;
    this.update("track");
  }

  /** @param {string} event */
  update(event) {
    if (event === "track") this.viewport.reset(this.session.duration);
    for (const part of this.parts) part.update?.(event);
    if (event === "time" || event === "state" || event === "track") this.#run();
    if (event !== "time") this.invalidate();
  }

  /** Call `sized` with an element's size in CSS pixels, now and after every change.
   * @param {Element} element @param {(width: number, height: number) => void} sized */
  watch(element, sized) {
    this.watched.set(element, sized);
    this.sizes.observe(element);
  }

  /** @param {Element} element */
  unwatch(element) {
    this.watched.delete(element);
    this.sizes.unobserve(element);
  }

  /** Draw at the next frame. */
  invalidate() {
    this.drawing ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    if (this.drawing !== undefined) cancelAnimationFrame(this.drawing);
    this.drawing = undefined;
    performance.mark("sf-player-draw");
    for (const part of this.parts) part.draw?.();
    this.#tick();
    performance.measure("sf-player-draw", "sf-player-draw");
    performance.clearMarks("sf-player-draw");
  }

  close() {
    for (const part of this.parts) part.close?.();
    for (const event of EVENTS) this.session.removeEventListener(event, this.listener);
    this.sizes.disconnect();
    this.stopTheme();
    if (this.drawing !== undefined) cancelAnimationFrame(this.drawing);
    if (this.running !== undefined) cancelAnimationFrame(this.running);
  }

  /** Go on frame by frame while anything moves. */
  #run() {
    this.running ??= requestAnimationFrame(() => {
      this.running = undefined;
      if (this.session.playing) this.viewport.follow(this.session.time);
      if (this.#tick() || this.session.playing) this.#run();
    });
  }

  /** @returns {boolean} Whether something still moves by itself. */
  #tick() {
    const time = this.session.time;
    let moving = false;
    for (const part of this.parts) moving = Boolean(part.tick?.(time)) || moving;
    return moving;
  }
}
