/** Files of the analysis, as downloads. */
import { h } from "../lib/dom.js";
import { download } from "../lib/download.js";
import { size } from "../lib/format.js";

const FORMATS = {
  json: ["JSON", "Everything, for a program"],
  csv: ["CSV", "The numbers, for a spreadsheet"],
  jams: ["JAMS", "Annotations, for music research"],
  cues: ["Cue points", "A CSV file of cue points"],
  audacity: ["Audacity", "A label track"],
  rekordbox: ["Rekordbox", "An XML collection: tempo, key, cue points"],
  png: ["Picture", "The overview as a PNG"],
};

/** @param {import("../lib/channel.js").Channel} channel */
export function exportButtons(channel) {
  const told = h("p", { class: "sf-small sf-soft", role: "status" });
  const fault = h("p", { class: "sf-fault", role: "alert", hidden: true });
  const buttons = Object.entries(FORMATS).map(([format, [name, title]]) =>
    h("button", { type: "button", title, "aria-label": `Save as ${name}`, onclick: () => save(format, name) }, name));

  /** @param {string} format @param {string} name */
  async function save(format, name) {
    fault.hidden = true;
    told.textContent = `Writing ${name}…`;
    for (const button of buttons) button.disabled = true;
    try {
      const { value } = await channel.ask("export", { format }, { patience: 120 });
      await download(channel, value, (share) => (told.textContent = `${Math.round(100 * share)} % of ${size(value.size)}`));
      told.textContent = `Saved ${value.name} (${size(value.size)}).`;
    } catch (error) {
      told.textContent = "";
      fault.textContent = /** @type {Error} */ (error).message;
      fault.hidden = false;
    }
    for (const button of buttons) button.disabled = false;
  }

  return h("div", { class: "sf-exports" }, h("div", { class: "sf-row", role: "group", "aria-label": "Save as" }, ...buttons), told, fault);
}
