/**
 * The player of a report: a page that carries its audio, its outlines and its analysis, and needs no kernel.
 *
 * The page holds `#player`, `#sf-data` (what `sfwidgets.report.page` says) and for each lane a script `.sf-sound` with its
 * segments. A cell with `data-time` becomes a button that goes there.
 */
import { embeddedSource } from "../engine/embedded.js";
import { h } from "../lib/dom.js";
import { publish } from "../lib/players.js";
import { localModel, mountPlayer, Session } from "../player/mount.js";
import "./style.css";

/**
 * @typedef {object} Data
 * @property {import("../player/backing.js").Track} track
 * @property {Record<string, { sampleRate: number, samplesPerPixel: number, pairs: string }>} peaks The pairs in base64.
 * @property {import("../player/musical.js").Analysis & { cuePoints: import("../player/musical.js").Cue[] }} analysis
 * @property {import("../player/mix.js").Mix} mix
 */

const place = document.getElementById("player");
if (place) begin(place, JSON.parse(document.getElementById("sf-data")?.textContent ?? ""));

/** @param {HTMLElement} place @param {Data} data */
function begin(place, { track, peaks, analysis, mix }) {
  const model = localModel({ key: "report", track, mix, cues: analysis.cuePoints, time: 0, playing: false });
  const session = new Session(model, {
    source: async () => embeddedSource({ rate: track.sampleRate, lanes: sound() }),
    peaks: async (lane) => peaks[lane] ? { ...peaks[lane], pairs: new Int8Array(bytes(peaks[lane].pairs).buffer) } : null,
    analysis: async () => analysis,
  });
  publish("report", session);
  place.replaceChildren();
  mountPlayer(place, session);
  for (const cell of document.querySelectorAll("[data-time]")) jump(/** @type {HTMLElement} */ (cell), session);
}

/** Make a time on the page a button that goes there. @param {HTMLElement} cell @param {Session} session */
function jump(cell, session) {
  const go = () => session.seek(Number(cell.dataset.time));
  const label = `Go to ${cell.textContent}`;
  cell.replaceChildren(h("button", { class: "jump", type: "button", "aria-label": label, onclick: go }, cell.textContent));
}

/** Read the lanes' segments out of the page. @returns {import("../engine/embedded.js").Embedded["lanes"]} */
function sound() {
  const scripts = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("script.sf-sound"));
  return Object.fromEntries([...scripts].map((script) => [script.dataset.lane, JSON.parse(script.textContent ?? "")]));
}

/** @param {string} base64 */
function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
