/** A range input that shows how far it is, says its value in words, and goes back to its plain value on a double click. */
import { h } from "../lib/dom.js";

/**
 * @param {object} options
 * @param {string} options.label @param {number} options.min @param {number} options.max @param {number} options.step
 * @param {number} options.plain @param {(value: number) => string} options.say @param {(value: number) => void} options.change
 * @param {boolean} [options.centred] Filled from the plain value rather than from the left.
 */
export function slider({ label, min, max, step, plain, say, change, centred = false }) {
  const value = h("output", { class: "sf-slider-value sf-numbers sf-small" });
  const element = h("input", {
    type: "range", class: centred ? "sf-slider sf-centred" : "sf-slider", min, max, step, "aria-label": label,
    oninput: () => chosen(Number(element.value)),
    ondblclick: () => chosen(plain),
  });
  /** @param {number} next */
  function chosen(next) {
    const near = Math.abs(next - plain) <= step * 1.5 && Math.abs(next - plain) > 0 && element.matches(":active");
    set(near ? plain : next);
    change(near ? plain : next);
  }
  /** @param {number} next */
  function set(next) {
    if (Number(element.value) !== next) element.value = String(next);
    const share = ((next - min) / (max - min)) * 100;
    const from = centred ? ((plain - min) / (max - min)) * 100 : 0;
    element.style.setProperty("--from", `${Math.min(from, share)}%`);
    element.style.setProperty("--to", `${Math.max(from, share)}%`);
    const words = say(next);
    element.setAttribute("aria-valuetext", words);
    element.title = `${label}: ${words}`;
    value.textContent = words;
  }
  element.style.setProperty("--rest", `${((plain - min) / (max - min)) * 100}%`);
  set(plain);
  return { element, value, set };
}
