import { h } from "../lib/dom.js";
import { size } from "../lib/format.js";

/**
 * @typedef {object} Model
 * @property {string} id
 * @property {string} name
 * @property {string} description
 * @property {boolean} isDefault
 * @property {boolean} installed
 * @property {boolean} preview
 * @property {number | null} size
 * @property {string[]} sources
 */

/** @param {string} word */
const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

/** What shall be made of the files: model, stems, analysis. */
export class Settings {
  /** @type {Model[]} */
  #models = [];
  #offline = false;

  /** @param {() => void} changed */
  constructor(changed) {
    this.model = h("select", { class: "sf-wide", "aria-label": "Model", onchange: () => this.#show() }, h("option", { value: "auto" }, "Automatic"));
    this.help = h("div", { class: "sf-soft sf-small", role: "status" });
    this.stems = h("select", { class: "sf-wide", "aria-label": "Stems", onchange: () => this.#show() });
    this.chosen = h("fieldset", { class: "sf-chosen", hidden: true }, h("legend", { class: "sf-unseen" }, "Stems to write"));
    this.analyse = h("input", { type: "checkbox", checked: true, onchange: () => this.#show() });
    this.changed = changed;
    this.element = h("div", { class: "sf-settings" },
      h("label", { class: "sf-field" }, h("span", {}, "Model"), this.model), this.help,
      h("label", { class: "sf-field" }, h("span", {}, "Stems"), this.stems), this.chosen,
      h("label", { class: "sf-check" }, this.analyse, h("span", {}, "Analyse tempo, key, chords and sections")));
    this.#fillStems();
  }

  /** @param {{ models: Model[], offline: boolean }} known */
  fill({ models, offline }) {
    this.#models = models;
    this.#offline = offline;
    const kept = this.model.value;
    this.model.replaceChildren(
      h("option", { value: "auto" }, "Automatic (recommended)"),
      ...models.map((model) => h("option", { value: model.id, disabled: offline && !model.installed }, this.#name(model))));
    this.model.value = kept;
    this.#show();
  }

  /** Whether stems are wanted, and an analysis. */
  get wants() {
    return { stems: this.stems.value !== "none", analysis: this.analyse.checked };
  }

  /** What Python's `_asked` reads. */
  value() {
    const [how, stem] = this.stems.value.split(":");
    return {
      separate: how !== "none",
      analyze: this.analyse.checked,
      model: this.model.value,
      twoStems: how === "two" ? stem : null,
      stems: how === "chosen" ? [...this.chosen.querySelectorAll("input:checked")].map((box) => /** @type {HTMLInputElement} */ (box).value) : null,
    };
  }

  #used() {
    const { value } = this.model;
    return this.#models.find((model) => (value === "auto" ? model.isDefault : model.id === value));
  }

  #show() {
    this.#fillStems();
    const wanted = this.stems.value !== "none";
    this.model.disabled = !wanted;
    this.help.textContent = wanted ? this.#explained() : "";
    this.help.hidden = !this.help.textContent;
    this.chosen.hidden = this.stems.value !== "chosen";
    this.changed();
  }

  #fillStems() {
    const sources = this.#used()?.sources ?? ["drums", "bass", "other", "vocals"];
    const ordered = [...sources].sort((a, b) => Number(b === "vocals") - Number(a === "vocals"));
    if (this.stems.dataset.sources === ordered.join()) return;
    this.stems.dataset.sources = ordered.join();
    const kept = this.stems.value;
    this.stems.replaceChildren(
      h("option", { value: "all" }, `All (${ordered.join(", ")})`),
      ...ordered.filter((stem) => stem !== "other").map((stem) => h("option", { value: `two:${stem}` }, `${capital(stem)} and the rest`)),
      h("option", { value: "chosen" }, "Chosen stems…"),
      h("option", { value: "none" }, "None, only add to the library"));
    if ([...this.stems.options].some((option) => option.value === kept)) this.stems.value = kept;
    const boxes = ordered.map((stem, at) =>
      h("label", { class: "sf-check" }, h("input", { type: "checkbox", value: stem, checked: at === 0 }), h("span", {}, capital(stem))));
    this.chosen.replaceChildren(/** @type {Element} */ (this.chosen.firstElementChild), ...boxes);
  }

  /** @param {Model} model */
  #name(model) {
    if (model.preview) return model.name.includes("preview") ? model.name : `${model.name} (preview)`;
    if (model.installed) return model.name;
    if (this.#offline) return `${model.name} (not on this machine)`;
    return `${model.name} (will be fetched${model.size ? `, ${size(model.size)}` : ""})`;
  }

  #explained() {
    const used = this.#used();
    if (!used) return "";
    if (this.model.value !== "auto") return used.description;
    if (used.preview) return "HT Demucs is not on this machine and nothing may be fetched, so this is a quick preview of the stems.";
    if (used.installed) return `${used.name}: ${used.description}`;
    const how = used.size ? ` (${size(used.size)})` : "";
    return `${used.name} is fetched${how} the first time. Where that can't be, you get a quick preview, and it says so.`;
  }
}
