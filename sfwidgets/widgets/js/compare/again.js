/** Another set of stems to compare with, made from here. */
import { h } from "../lib/dom.js";

/**
 * @param {import("../lib/channel.js").Channel} channel
 * @param {string} id Unique on the page.
 * @param {(error: any) => void} fail
 */
export function anotherSet(channel, id, fail) {
  const model = h("select", { id: `${id}-model` });
  const overlap = h("select", { id: `${id}-overlap` },
    h("option", { value: 0.25 }, "0.25 (usual)"), h("option", { value: 0.5 }, "0.5 (smoother, slower)"), h("option", { value: 0.75 }, "0.75 (slowest)"), h("option", { value: 0.1 }, "0.1 (fastest)"));
  const shifts = h("select", { id: `${id}-shifts` }, ...[0, 1, 2, 5, 10].map((count) => h("option", { value: count }, count ? count : "none (usual)")));
  const start = h("button", { type: "submit", class: "sf-primary" }, "Separate");
  const form = h("form", {
    class: "sf-another",
    onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      try {
        await channel.ask("separate", { model: model.value, overlap: Number(overlap.value), shifts: Number(shifts.value) });
      } catch (error) {
        fail(error);
      }
    },
  },
    field("Compare with model", model), field("Overlap", overlap), field("Random shifts", shifts), start);

  async function load() {
    try {
      const { value } = await channel.ask("models");
      model.replaceChildren(...value.map((/** @type {any} */ one) => h("option", { value: one.id }, one.installed ? one.name : `${one.name} (is fetched first)`)));
    } catch (error) {
      fail(error);
    }
  }

  return { element: form, load, busy: (/** @type {boolean} */ running) => void (start.disabled = running) };
}

/** @param {string} title @param {HTMLElement} input */
const field = (title, input) => h("div", { class: "sf-field" }, h("label", { for: input.id, class: "sf-small sf-soft" }, title), input);
