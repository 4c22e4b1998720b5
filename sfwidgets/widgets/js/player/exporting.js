/** The dialog that exports what is heard. */
import { clock } from "../lib/format.js";
import { h } from "../lib/dom.js";
import { laneTitle } from "./palette.js";

const FORMATS = { wav: "WAV", flac: "FLAC", mp3: "MP3", ogg: "Ogg Vorbis" };
const DEPTHS = /** @type {Record<string, [string, string][]>} */ ({
  wav: [["16", "16 bits"], ["24", "24 bits"], ["32", "32 bits, floating point"]],
  flac: [["16", "16 bits"], ["24", "24 bits"]],
});
const RATES = [44100, 48000, 96000];
/** MP3 holds no higher rate. */
const MP3_HIGHEST = 48000;
const NORMALIZE = [["", "As it is"], ["peak", "Peak at −1 dB"], ["loudness", "Loudness at −14 LUFS"]];
const TAGS = ["title", "artist", "album", "comment"];

/** @param {import("./session.js").Session} session */
export function exportDialog(session) {
  const what = select("What");
  const span = select("Part");
  const format = select("Format", Object.entries(FORMATS));
  const rate = select("Sample rate");
  const depth = select("Bit depth");
  const normalize = select("Level", NORMALIZE);
  const tags = TAGS.map((name) => h("input", { type: "text", maxlength: "1000", name }));
  const bar = h("progress", { max: "1", value: "0", "aria-label": "Progress of the export" });
  const status = h("p", { class: "sf-small", role: "status" });
  const fault = h("p", { class: "sf-fault", role: "alert", hidden: true });
  const go = h("button", { type: "submit", class: "sf-primary" }, "Export");
  const leave = h("button", { type: "button", onclick: () => (running ? running.abort() : dialog.close()) }, "Close");
  const fields = h("fieldset", { class: "sf-fields" },
    what.element, span.element, format.element, rate.element, depth.element, normalize.element,
    ...tags.map((input, i) => labelled(TAGS[i][0].toUpperCase() + TAGS[i].slice(1), input)));
  const form = h("form", { onsubmit: submit }, fields, bar, status, fault, h("div", { class: "sf-row sf-dialog-end" }, leave, go));
  const dialog = h("dialog", { class: "sf-dialog sf-export", "aria-label": "Export" }, h("h2", {}, "Export"), form);
  dialog.addEventListener("cancel", (event) => {
    if (!running) return;
    event.preventDefault();
    running.abort();
  });
  format.input.addEventListener("change", offer);
  /** @type {AbortController | null} */
  let running = null;

  function open() {
    const { track, stems, mix } = session;
    what.offer([
      ...(stems.length ? [["mix", "The stems, as they are mixed"]] : []),
      ...stems.map((lane) => [lane.name, `${laneTitle(lane.name)} alone`]),
      [stems.length ? "mixture" : "mix", stems.length ? "The original" : "The track, as it is set"],
    ]);
    const loop = mix.loop;
    span.offer([["whole", `All of it (${clock(session.duration)})`], ...(loop ? [["loop", `The loop (${clock(loop.start)}–${clock(loop.end)})`]] : [])]);
    const said = [track.title, track.artist, track.album ?? "", "Made with Sound Forge Alchemy"];
    tags.forEach((input, i) => (input.value = said[i]));
    status.textContent = "";
    fault.hidden = true;
    offer();
    work(false);
    dialog.showModal();
  }

  function offer() {
    const mp3 = format.input.value === "mp3";
    const own = session.track.sampleRate;
    const rates = [...new Set([own, ...RATES])].filter((value) => !mp3 || value <= MP3_HIGHEST);
    rate.offer(rates.map((value) => [String(value), `${(value / 1000).toFixed(1).replace(".0", "")} kHz${value === own ? " (the track's)" : ""}`]));
    const depths = DEPTHS[format.input.value] ?? [];
    depth.element.hidden = !depths.length;
    depth.offer(depths, "24");
  }

  /** @param {boolean} on */
  function work(on) {
    fields.disabled = on;
    go.disabled = on;
    bar.hidden = !on;
    leave.textContent = on ? "Cancel" : "Close";
  }

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const { mix } = session;
    if (!session.backing.exporting) return;
    running = new AbortController();
    bar.value = 0;
    fault.hidden = true;
    status.textContent = "Being written …";
    work(true);
    try {
      const notices = await session.backing.exporting({
        mix,
        what: what.input.value,
        span: span.input.value === "loop" && mix.loop ? [mix.loop.start, mix.loop.end] : null,
        format: format.input.value,
        sampleRate: Number(rate.input.value),
        bitDepth: depth.input.value ? Number(depth.input.value) : null,
        normalize: normalize.input.value || null,
        tags: Object.fromEntries(tags.map((input, i) => [TAGS[i], input.value])),
      }, (share) => {
        bar.value = share;
        status.textContent = share < 0.9 ? `Being written: ${Math.round(share * 100)} %` : "On its way to this page …";
      }, running.signal);
      status.textContent = ["Done. The file is in your downloads.", ...(notices ?? [])].join(" ");
    } catch (error) {
      status.textContent = running.signal.aborted ? "Cancelled." : "";
      fault.hidden = running.signal.aborted;
      fault.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      running = null;
      work(false);
    }
  }

  return { dialog, open };
}

/** @param {string} name @param {string[][]} [options] */
function select(name, options = []) {
  const input = h("select", {});
  const element = labelled(name, input);
  /** @param {string[][]} offered @param {string} [preferred] */
  function offer(offered, preferred) {
    const before = input.value;
    input.replaceChildren(...offered.map(([value, text]) => h("option", { value }, text)));
    const next = [before, preferred].find((value) => offered.some((option) => option[0] === value));
    input.value = next ?? offered[0]?.[0] ?? "";
  }
  offer(options);
  return { element, input, offer };
}

/** @param {string} name @param {HTMLElement} input */
function labelled(name, input) {
  return h("label", {}, h("span", { class: "sf-small sf-soft" }, name), input);
}
