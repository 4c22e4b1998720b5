import { h } from "../lib/dom.js";

let made = 0;

/** Tabs as the ARIA authoring practices have them: arrows go from one to the next, and what is chosen is shown. */
export class Tabs {
  /**
   * @param {string} label
   * @param {Record<string, { label: string, panel: HTMLElement }>} views
   * @param {(view: string) => void} opened
   */
  constructor(label, views, opened) {
    const prefix = `sf-tabs-${made++}-`;
    this.opened = opened;
    this.views = Object.fromEntries(Object.entries(views).map(([name, view]) => [name, {
      tab: h("button", {
        role: "tab", id: `${prefix}${name}`, "aria-controls": `${prefix}${name}-panel`, onclick: () => this.open(name),
      }, view.label),
      panel: h("div", { role: "tabpanel", id: `${prefix}${name}-panel`, "aria-labelledby": `${prefix}${name}` }, view.panel),
    }]));
    const list = h("div", { class: "sf-studio-tabs", role: "tablist", "aria-label": label, onkeydown: (/** @type {KeyboardEvent} */ event) => this.#walk(event) },
      ...Object.values(this.views).map(({ tab }) => tab));
    this.element = h("div", {}, list, ...Object.values(this.views).map(({ panel }) => panel));
  }

  /** @param {string} name */
  open(name) {
    for (const [other, { tab, panel }] of Object.entries(this.views)) {
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      panel.hidden = other !== name;
    }
    this.opened(name);
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const open = Object.values(this.views);
    const at = open.findIndex(({ tab }) => tab === document.activeElement);
    const next = open[(at + step + open.length) % open.length].tab;
    next.focus();
    next.click();
    event.preventDefault();
  }
}
