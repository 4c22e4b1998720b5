/** What stands above the player: the track's name and facts, what to know of its stems, and what went wrong. */
import { h } from "../lib/dom.js";

/** @param {import("./view.js").View} view @returns {import("./view.js").Part} */
export function status(view) {
  const { session } = view;
  const title = h("h2", { class: "sf-title" });
  const artist = h("span", { class: "sf-soft sf-artist" });
  const badge = h("span", { class: "sf-badge" });
  const facts = h("ul", { class: "sf-facts", "aria-label": "What the analysis says" });
  const notes = h("div", { class: "sf-notes" });
  const waiting = h("p", { class: "sf-soft sf-small", role: "status" });
  const words = h("span", {});
  const again = h("button", { type: "button", onclick: () => (session.fault?.retry ?? (() => session.clearFault()))() });
  const fault = h("div", { class: "sf-fault sf-row", role: "alert", hidden: true }, words, again);
  const element = h("header", { class: "sf-status" },
    h("div", { class: "sf-headline" }, h("div", { class: "sf-names" }, title, artist, badge), facts), notes, waiting, fault);

  function tellTrack() {
    const { track } = session;
    title.textContent = track.title;
    artist.textContent = track.artist;
    badge.hidden = !track.preview;
    badge.textContent = `Preview quality: ${track.preview} model`;
  }

  function tellFacts() {
    const { analysis } = session;
    const known = analysis ? [analysis.tempo && `${analysis.tempo.toFixed(1)} BPM`, analysis.timeSignature, analysis.key] : [];
    facts.replaceChildren(...known.filter(Boolean).map((fact) => h("li", {}, fact)));
    facts.hidden = !facts.childElementCount;
    const said = [];
    if (!session.stems.length) said.push("This is the whole mixture. Separate it to get stems.");
    if (session.analysed && !analysis) said.push("There is no analysis yet, hence no beats to snap to. Analyse the track to get beats, sections and chords.");
    else if (analysis && !analysis.beats.length) said.push("No beats were found in this track, so loops do not snap.");
    notes.replaceChildren(...said.map((note) => h("p", { class: "sf-notice sf-small" }, note)));
    const { notices } = session.track;
    if (notices.length) {
      notes.append(h("details", { class: "sf-small sf-soft" }, h("summary", {}, "About these stems"), ...notices.map((note) => h("p", {}, note))));
    }
  }

  function tellFault() {
    const now = session.fault;
    fault.hidden = !now;
    words.textContent = now?.message ?? "";
    again.textContent = now?.retry ? "Retry" : "Close";
  }

  return {
    element,
    update(event) {
      if (event === "track") tellTrack();
      if (event === "track" || event === "analysis") tellFacts();
      if (event === "track" || event === "fault") tellFault();
      waiting.textContent = session.preparing && !session.fault ? "The audio is being prepared …" : "";
    },
  };
}
