/** The chosen stem on both sides, one above the other, where they differ, and the place that is heard. */
import { h } from "../lib/dom.js";

/** Numbers a column: lowest and highest of A, of B, the energy of A, of A - B. */
const WIDE = 6;
/** Pixels that a pointer moves before a press becomes a loop. */
const DRAG = 6;
/** How far below A's mean level a difference is no longer drawn, in dB. */
const DEEPEST = 60;

/**
 * @param {import("./deck.js").Deck} deck
 * @param {import("../lib/channel.js").Channel} channel
 */
export function waves(deck, channel) {
  const canvas = h("canvas", { "aria-hidden": true });
  const head = h("div", { class: "sf-playhead" });
  const region = h("div", { class: "sf-region", hidden: true });
  const frame = h("div", { class: "sf-waves" }, canvas, region, head);
  const names = ["A", "B", "A − B"].map((name) => h("span", {}, name));
  const words = h("p", { class: "sf-difference sf-numbers", role: "status" });
  let data = new Float32Array(0);
  let columns = 600;
  let done = 0;
  let wanted = 0;

  /** Measure and draw a stem of two sets, a piece at a time. @param {{ a: string, b: string, stem: string, columns: number }} given */
  async function load(given) {
    const mine = ++wanted;
    columns = given.columns;
    data = new Float32Array(columns * WIDE);
    done = 0;
    draw();
    words.textContent = "Measuring the difference…";
    try {
      while (done < columns) {
        const { value, buffers } = await channel.ask("compared", { a: given.a, b: given.b, stem: given.stem, column: done }, { patience: 60 });
        if (mine !== wanted) return;
        const { buffer, byteOffset, byteLength } = buffers[0];
        data.set(new Float32Array(/** @type {ArrayBuffer} */ (buffer).slice(byteOffset, byteOffset + byteLength)), done * WIDE);
        done += value.count;
        draw();
      }
      words.replaceChildren(...difference(data));
    } catch (error) {
      if (mine === wanted) words.replaceChildren(/** @type {Error} */ (error).message, " ", h("button", { type: "button", onclick: () => load(given) }, "Try again"));
    }
  }

  function draw() {
    const { clientWidth: width, clientHeight: height } = frame;
    const dense = window.devicePixelRatio || 1;
    if (width === 0) return;
    canvas.width = Math.round(width * dense);
    canvas.height = Math.round(height * dense);
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const style = getComputedStyle(frame);
    const [soft, blue, orange, ink] = ["--sf-line", "--sf-vocals", "--sf-drums", "--sf-ink"].map((name) => style.getPropertyValue(name));
    pen.scale(dense, dense);
    const strip = 22;
    const lane = (height - strip) / 2;
    const step = width / columns;
    pen.fillStyle = soft;
    for (const y of [lane / 2, lane * 1.5]) pen.fillRect(0, y, width, 1);
    let [mean, loudest] = [0, 0.02];
    for (let i = 0; i < done; i++) {
      mean += data[i * WIDE + 4] / done;
      for (let k = 0; k < 4; k++) loudest = Math.max(loudest, Math.abs(data[i * WIDE + k]));
    }
    const tall = (lane / 2 - 4) / loudest;
    for (let i = 0; i < done; i++) {
      const [lowA, highA, lowB, highB, , apart] = data.subarray(i * WIDE, i * WIDE + WIDE);
      const x = i * step;
      bar(pen, blue, x, step, lane / 2, tall, lowA, highA);
      bar(pen, orange, x, step, lane * 1.5, tall, lowB, highB);
      const level = apart > 0 && mean > 0 ? 10 * Math.log10(apart / mean) : -Infinity;
      pen.fillStyle = ink;
      pen.globalAlpha = Math.max(0, Math.min(1, 1 + level / DEEPEST));
      pen.fillRect(x, height - strip + 6, step + 0.3, strip - 10);
      pen.globalAlpha = 1;
    }
  }

  function move() {
    const { duration, time, loop } = deck;
    head.style.left = duration ? `${(100 * time) / duration}%` : "0";
    region.hidden = !loop;
    if (!loop || !duration) return;
    region.style.left = `${(100 * loop.start) / duration}%`;
    region.style.width = `${(100 * (loop.end - loop.start)) / duration}%`;
  }

  /** @param {PointerEvent} event */
  const at = (event) => {
    const box = frame.getBoundingClientRect();
    return deck.duration * Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
  };
  frame.addEventListener("pointerdown", (down) => {
    if (down.button !== 0 || !deck.duration) return;
    const from = at(down);
    let dragged = false;
    frame.setPointerCapture(down.pointerId);
    const drag = (/** @type {PointerEvent} */ event) => {
      dragged ||= Math.abs(event.clientX - down.clientX) > DRAG;
      if (dragged) deck.setLoop({ start: Math.min(from, at(event)), end: Math.max(from, at(event)) });
    };
    const up = () => {
      frame.removeEventListener("pointermove", drag);
      if (!dragged) deck.seek(from);
    };
    frame.addEventListener("pointermove", drag);
    frame.addEventListener("pointerup", up, { once: true });
    frame.addEventListener("pointercancel", () => frame.removeEventListener("pointermove", drag), { once: true });
  });
  const resized = new ResizeObserver(draw);
  resized.observe(frame);
  return {
    element: h("div", { class: "sf-waves-of" }, h("div", { class: "sf-wave-names", "aria-hidden": true }, ...names), frame, words),
    load,
    draw,
    move,
    close() {
      wanted++;
      resized.disconnect();
    },
  };
}

/** @param {CanvasRenderingContext2D} pen @param {string} colour @param {number} x @param {number} width @param {number} middle @param {number} tall @param {number} low @param {number} high */
function bar(pen, colour, x, width, middle, tall, low, high) {
  pen.fillStyle = colour;
  pen.fillRect(x, middle - high * tall, width + 0.3, Math.max(1, (high - low) * tall));
}

/** What the columns say of the whole. @param {Float32Array} data */
function difference(data) {
  let [reference, apart] = [0, 0];
  for (let i = 0; i < data.length; i += WIDE) {
    reference += data[i + 4];
    apart += data[i + 5];
  }
  if (apart === 0) return ["A and B are the same, sample for sample."];
  if (reference === 0) return ["A is silent here, B is not."];
  const level = 10 * Math.log10(apart / reference);
  const heard = level < -40 ? "hard to hear" : level < -20 ? "small" : level < -6 ? "clear" : "large";
  return ["Their difference, A − B: ", h("strong", {}, `${level.toFixed(1).replace("-", "−")} dB`), ` relative to A (${heard}).`];
}

