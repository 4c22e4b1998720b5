/** The numbers with their confidence, in a tab for the whole song and one for each stem. */
import { h } from "../lib/dom.js";
import { roving, stop } from "../views/roving.js";
import { stemPicture } from "./stem.js";

/**
 * @typedef {{ name: string, value: string | null, unit: string, note: string, confidence: number | null, sureness: string, meaning: string }} Fact
 * @typedef {{ title: string, facts: Fact[] }} Group
 * @param {{ groups: Group[], stems: Record<string, any>, duration: number }} found
 * @param {string} id Unique on the page.
 * @param {string} chosen The tab to show: "" is the whole song.
 */
export function numbers({ groups, stems, duration }, id, chosen) {
  const panels = new Map([["", h("div", {}, groupGrid(groups))]]);
  for (const [name, stem] of Object.entries(stems)) {
    panels.set(name, h("div", {}, stemPicture(name, stem, duration), groupGrid(stem.groups)));
  }
  const state = { chosen: panels.has(chosen) ? chosen : "" };
  if (panels.size === 1) return { element: h("div", { class: "sf-numbers-of" }, panels.get("") ?? ""), state };
  const tabs = [...panels.keys()].map((name) =>
    h("button", {
      type: "button", role: "tab", id: `${id}-tab-${name}`, "aria-controls": `${id}-panel-${name}`, tabindex: -1, "data-name": name,
      style: name ? `--tint: var(--sf-${name}, var(--sf-other))` : null, onclick: () => choose(name),
    }, name ? h("span", { class: "sf-dot", "aria-hidden": true }) : null, name || "Song"));
  const list = h("div", { role: "tablist", class: "sf-tabs", "aria-label": "Song and stems" }, ...tabs);
  for (const [name, panel] of panels) {
    panel.id = `${id}-panel-${name}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `${id}-tab-${name}`);
    panel.tabIndex = 0;
  }

  /** @param {string} name */
  function choose(name) {
    state.chosen = name;
    for (const tab of tabs) tab.setAttribute("aria-selected", String(tab.dataset.name === name));
    stop(list, "button", tabs.find((tab) => tab.dataset.name === name));
    for (const [of, panel] of panels) panel.hidden = of !== name;
  }

  roving(list, "button", (tab) => choose(tab.dataset.name ?? ""));
  choose(state.chosen);
  return { element: h("div", { class: "sf-numbers-of" }, list, ...panels.values()), state };
}

/** @param {Group[]} groups */
function groupGrid(groups) {
  return h("div", { class: "sf-groups" }, ...groups.map(({ title, facts }) =>
    h("section", { class: "sf-group" }, h("h4", {}, title), h("dl", {}, ...facts.flatMap(row)))));
}

/** @param {Fact} fact */
function row({ name, value, unit, note, confidence, sureness, meaning }) {
  const term = h("dt", { title: meaning || null }, name);
  if (value === null) return [term, h("dd", { class: "sf-soft" }, "could not be told")];
  const known = confidence !== null && sureness !== "";
  return [term, h("dd", {},
    h("span", { class: "sf-value" }, value, unit ? h("span", { class: "sf-soft" }, ` ${unit}`) : null),
    note ? h("span", { class: "sf-soft sf-small" }, note) : null,
    known ? h("span", { class: "sf-sure sf-small", "data-sure": sureness },
      h("span", { class: "sf-bar", "aria-hidden": true }, h("span", { style: `width: ${Math.round(100 * (confidence ?? 0))}%` })),
      sureness === "you said so" ? sureness : `${sureness} (${(confidence ?? 0).toFixed(2)})`) : null)];
}
