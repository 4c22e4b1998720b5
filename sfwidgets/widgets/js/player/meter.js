/** A stereo level meter: a bar a side, which falls slowly, and turns red at full scale. */
import { h } from "../lib/dom.js";

/** dB at the left end, and by how much it falls in a second. */
const FLOOR = -48;
const FALL = 26;

export function meter() {
  const bars = [h("i"), h("i")];
  const element = h("div", { class: "sf-meter", "aria-hidden": "true" }, ...bars.map((bar) => h("span", {}, bar)));
  const shown = [FLOOR, FLOOR];
  let last = performance.now();
  /** @param {[number, number] | null} levels Linear peaks; null where nothing sounds. */
  function show(levels) {
    const now = performance.now();
    const fallen = ((now - last) / 1000) * FALL;
    last = now;
    bars.forEach((bar, side) => {
      const level = levels && levels[side] > 0 ? 20 * Math.log10(levels[side]) : FLOOR;
      const next = Math.max(FLOOR, level, shown[side] - fallen);
      if (next === shown[side]) return;
      shown[side] = next;
      bar.style.transform = `scaleX(${Math.min(1, 1 - next / FLOOR).toFixed(3)})`;
      bar.classList.toggle("sf-hot", next >= -0.1);
    });
  }
  return { element, show, moving: () => shown.some((level) => level > FLOOR) };
}
