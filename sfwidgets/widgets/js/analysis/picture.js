/** The overview, drawn by Python in the page's colours. */
import { h } from "../lib/dom.js";

/** @param {import("../lib/channel.js").Channel} channel */
export function overviewPicture(channel) {
  const image = h("img", { hidden: true });
  const words = h("p", { class: "sf-soft", role: "status" }, "Drawing the picture…");
  const again = h("button", { type: "button", hidden: true, onclick: () => show(theme) }, "Try again");
  const frame = h("div", { class: "sf-overview", tabindex: 0, role: "region", "aria-label": "The overview picture" }, image);
  let theme = "light";
  let wanted = 0;

  /** @param {string} asked "light" or "dark" */
  async function show(asked) {
    theme = asked;
    const mine = ++wanted;
    again.hidden = true;
    words.hidden = !image.hidden;
    words.textContent = "Drawing the picture…";
    try {
      const { value, buffers } = await channel.ask("overview", { theme }, { patience: 60 });
      if (mine !== wanted) return;
      free();
      image.src = URL.createObjectURL(new Blob([/** @type {any} */ (buffers[0])], { type: "image/png" }));
      image.alt = value.alt;
      image.hidden = false;
      words.hidden = true;
    } catch (error) {
      if (mine !== wanted) return;
      words.hidden = again.hidden = false;
      words.textContent = /** @type {Error} */ (error).message;
    }
  }

  function free() {
    if (image.src) URL.revokeObjectURL(image.src);
  }

  return { element: h("div", { class: "sf-picture" }, frame, h("div", { class: "sf-row" }, words, again)), show, close: free };
}
