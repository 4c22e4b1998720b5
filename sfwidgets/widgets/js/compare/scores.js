/** How good each side is, where the truth is known. */
import { h } from "../lib/dom.js";

/** Differences smaller than this, in dB, are called even. */
const EVEN = 0.05;

/** @param {import("../lib/channel.js").Channel} channel */
export function scoreTable(channel) {
  const place = h("div", { class: "sf-scores" });
  let wanted = 0;

  async function load() {
    const mine = ++wanted;
    place.replaceChildren(h("p", { class: "sf-soft", role: "status" }, "Scoring…"));
    try {
      const { value } = await channel.ask("scores", {}, { patience: 600 });
      if (mine === wanted) place.replaceChildren(value.known ? table(value) : h("p", { class: "sf-soft" },
        "How good each is in decibels can be told only where the true stems are known: in a stem file (.stem.mp4)."));
    } catch (error) {
      if (mine === wanted) place.replaceChildren(h("p", { class: "sf-fault", role: "alert" }, /** @type {Error} */ (error).message), h("button", { type: "button", onclick: load }, "Try again"));
    }
  }

  return { element: place, load };
}

/** @param {{ stems: string[], a: Record<string, number | null>, b: Record<string, number | null>, mixture: Record<string, number | null> }} scores */
function table({ stems, a, b, mixture }) {
  const rows = stems.map((stem) => {
    const [one, other] = [a[stem] ?? null, b[stem] ?? null];
    const apart = one !== null && other !== null ? one - other : 0;
    return h("tr", {}, h("th", { scope: "row" }, stem), cell(one, apart > EVEN), cell(other, apart < -EVEN), h("td", { class: "sf-soft" }, decibels(mixture[stem] ?? null)));
  });
  const head = ["Stem", "A", "B", "Original"].map((name) => h("th", { scope: "col" }, name));
  return h("table", { class: "sf-numbers" }, h("caption", {}, "Signal-to-distortion ratio (SDR); more is better"),
    h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows));
}

/** @param {number | null} value @param {boolean} better */
function cell(value, better) {
  return h("td", better ? { "data-better": true } : {}, decibels(value), better ? h("span", { class: "sf-better sf-small" }, "better") : null);
}

/** @param {number | null} value */
const decibels = (value) => (value === null ? "not known" : `${value.toFixed(1).replace("-", "−")} dB`);
