/** Blind listening: the sides are X and Y, shuffled before every vote, and only the reveal tells. */
import { h } from "../lib/dom.js";

/**
 * @param {import("./deck.js").Deck} deck
 * @param {(blind: boolean) => void} changed
 * @param {() => { a: string, b: string }} labels
 */
export function blindTest(deck, changed, labels) {
  /** @type {("A" | "B")[]} What X and Y are. */
  let order = ["A", "B"];
  let votes = { A: 0, B: 0, none: 0 };
  const told = h("p", { role: "status" });
  const letters = ["X", "Y"].map((letter, i) => h("button", { type: "button", "aria-pressed": "false", "aria-keyshortcuts": letter, onclick: () => listen(i) }, letter));
  const panel = h("div", { class: "sf-blind", hidden: true },
    h("p", { class: "sf-small sf-soft" }, "X and Y are the two sides, shuffled again after every vote. Listen (keys X and Y), then say which is better."),
    h("div", { class: "sf-row" }, h("span", { class: "sf-soft" }, "Listen to"), ...letters),
    h("div", { class: "sf-row", role: "group", "aria-label": "Which is better" },
      h("button", { type: "button", onclick: () => vote(0) }, "X is better"),
      h("button", { type: "button", onclick: () => vote(1) }, "Y is better"),
      h("button", { type: "button", onclick: () => vote(-1) }, "No difference"),
      h("button", { type: "button", class: "sf-primary", onclick: () => set(false) }, "Reveal")),
    told);
  const result = h("div", { class: "sf-notice", role: "status", hidden: true });
  const state = { on: false };

  function shuffle() {
    order = crypto.getRandomValues(new Uint8Array(1))[0] % 2 ? ["A", "B"] : ["B", "A"];
    listen(0);
  }

  /** @param {number} i */
  function listen(i) {
    deck.choose(order[i]);
    letters.forEach((letter, at) => letter.setAttribute("aria-pressed", String(at === i)));
  }

  /** @param {number} i */
  function vote(i) {
    votes[i < 0 ? "none" : order[i]]++;
    const given = votes.A + votes.B + votes.none;
    told.textContent = `${given} vote${given === 1 ? "" : "s"} given. X and Y were shuffled again.`;
    shuffle();
  }

  /** @param {boolean} on */
  function set(on) {
    if (state.on === on) return;
    state.on = on;
    panel.hidden = !on;
    if (on) {
      votes = { A: 0, B: 0, none: 0 };
      told.textContent = "No votes yet.";
      result.hidden = true;
      shuffle();
    } else {
      const { a, b } = labels();
      const x = `X was ${order[0] === "A" ? `A (${a})` : `B (${b})`}.`;
      result.textContent = votes.A + votes.B + votes.none === 0 ? x
        : `You preferred A (${a}) ${times(votes.A)}, B (${b}) ${times(votes.B)}, and heard no difference ${times(votes.none)}.`;
      result.hidden = false;
    }
    changed(on);
  }

  return { panel, result, state, set, listen };
}

/** @param {number} count */
const times = (count) => (count === 1 ? "once" : count === 2 ? "twice" : count === 0 ? "never" : `${count} times`);
