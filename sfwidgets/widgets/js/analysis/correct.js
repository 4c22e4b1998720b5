/** A person's word against what was measured: tempo, time signature, key and where a bar begins. */
import { h } from "../lib/dom.js";

const SIGNATURES = ["2/4", "3/4", "4/4", "5/4", "6/8", "9/8", "12/8"];
const TONICS = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

/**
 * @typedef {{ measured: any, alternative?: any, said: any }} Field
 * @param {(said: Record<string, any>) => Promise<void>} correct Rejects with a sentence.
 * @param {() => number | null} playhead Seconds; null where there is no player.
 * @param {string} id Unique on the page.
 */
export function corrections(correct, playhead, id) {
  const fault = h("p", { class: "sf-fault", role: "alert", hidden: true });
  const done = h("p", { class: "sf-small sf-soft", role: "status" });

  const tempo = h("input", { type: "number", id: `${id}-tempo`, min: 20, max: 400, step: "any", inputmode: "decimal" });
  const signature = h("select", { id: `${id}-signature` });
  const tonic = h("select", { id: `${id}-tonic` });
  const mode = h("select", { "aria-label": "Major or minor" }, h("option", { value: "major" }, "major"), h("option", { value: "minor" }, "minor"));
  const downbeat = h("input", { type: "number", id: `${id}-downbeat`, min: 0, step: "any", inputmode: "decimal" });
  const half = button("÷ 2", "÷ 2: half the tempo", () => submit({ tempo: now("tempo") / 2 }));
  const twice = button("× 2", "× 2: twice the tempo", () => submit({ tempo: now("tempo") * 2 }));
  const other = button("", null, () => submit({ tempo: fields.tempo.alternative }));
  const otherKey = button("", null, () => submit({ key: fields.key.alternative }));
  const here = button("Set to the playhead", null, () => submit({ downbeat: playhead() ?? 0 }));

  const rows = {
    tempo: row(tempo, "Tempo", "BPM", half, twice, other),
    timeSignature: row(signature, "Time signature", ""),
    key: row(tonic, "Key", "", mode, otherKey),
    downbeat: row(downbeat, "A bar begins at", "s", here),
  };
  /** @type {Record<string, Field>} */
  let fields = Object.fromEntries(Object.keys(rows).map((name) => [name, { measured: null, said: null }]));
  const undo = Object.fromEntries(Object.entries(rows).map(([name, made]) => {
    const back = button("Undo", `Undo the correction of ${made.title.toLowerCase()}`, () => submit({ [name]: null }));
    made.controls.append(back);
    return [name, back];
  }));

  tempo.addEventListener("change", () => tempo.value && submit({ tempo: Number(tempo.value) }));
  downbeat.addEventListener("change", () => downbeat.value && submit({ downbeat: Number(downbeat.value) }));
  signature.addEventListener("change", () => signature.value && submit({ timeSignature: signature.value }));
  for (const part of [tonic, mode]) part.addEventListener("change", () => tonic.value && submit({ key: `${tonic.value} ${mode.value}` }));

  /** @param {string} name */
  const now = (name) => fields[name].said ?? fields[name].measured;

  /** @param {Record<string, any>} said */
  async function submit(said) {
    fault.hidden = true;
    done.textContent = "Saving…";
    try {
      await correct(said);
      done.textContent = Object.values(said)[0] === null ? "Taken back; what was measured counts again." : "Saved. Beats, bars and files follow.";
    } catch (error) {
      done.textContent = "";
      fault.textContent = /** @type {Error} */ (error).message;
      fault.hidden = false;
      update(fields);
    }
  }

  /** @param {Record<string, Field>} given */
  function update(given) {
    fields = given;
    const known = now("tempo") !== null;
    tempo.value = known ? trimmed(now("tempo"), 2) : "";
    half.disabled = !known || now("tempo") / 2 < 20;
    twice.disabled = !known || now("tempo") * 2 > 400;
    const { alternative } = fields.tempo;
    other.hidden = !alternative || alternative === now("tempo");
    other.textContent = alternative ? `Use the alternative, ${trimmed(alternative, 1)}` : "";
    otherKey.hidden = !fields.key.alternative || fields.key.alternative === now("key");
    otherKey.textContent = fields.key.alternative ? `Use the runner-up, ${fields.key.alternative}` : "";
    fill(signature, SIGNATURES, now("timeSignature"));
    const [note, minor] = (now("key") ?? " ").split(" ");
    fill(tonic, TONICS, note || null);
    if (minor) mode.value = minor;
    downbeat.value = now("downbeat") === null ? "" : trimmed(now("downbeat"), 3);
    here.hidden = playhead() === null;
    for (const [name, made] of Object.entries(rows)) {
      const { measured, said } = fields[name];
      undo[name].hidden = said === null;
      made.words.textContent = `${measured === null ? "Could not be measured" : `Measured: ${shown(name, measured)}`}${said === null ? "" : ` · you say ${shown(name, said)}`}`;
    }
  }

  const element = h("details", { class: "sf-correct" }, h("summary", {}, "Is something wrong? Say what it really is"),
    h("p", { class: "sf-small sf-soft" }, "Your word is kept beside what was measured, and no new analysis touches it. What goes wrong most is a tempo that is half or twice the right one."),
    ...Object.values(rows).map((made) => made.element), fault, done);
  return { element, update };
}

/** @param {HTMLInputElement | HTMLSelectElement} input @param {string} title @param {string} unit @param {...Node} more */
function row(input, title, unit, ...more) {
  const words = h("span", { class: "sf-small sf-soft", id: `${input.id}-words` });
  input.setAttribute("aria-describedby", words.id);
  const controls = h("div", { class: "sf-row" }, input, unit ? h("span", { class: "sf-soft" }, unit) : null, ...more);
  return { title, words, controls, element: h("div", { class: "sf-correct-row" }, h("label", { for: input.id }, title), h("div", {}, controls, words)) };
}

/** @param {string} text @param {string | null} label @param {() => void} onclick */
const button = (text, label, onclick) => h("button", { type: "button", "aria-label": label, onclick }, text);

/** @param {HTMLSelectElement} select @param {string[]} values @param {string | null} chosen */
function fill(select, values, chosen) {
  const all = chosen && !values.includes(chosen) ? [chosen, ...values] : values;
  select.replaceChildren(...(chosen ? [] : [h("option", { value: "" }, "not known")]), ...all.map((value) => h("option", { value }, value)));
  select.value = chosen ?? "";
}

/** @param {string} name @param {any} value */
function shown(name, value) {
  return name === "tempo" ? `${trimmed(value, 1)} BPM` : name === "downbeat" ? `${trimmed(value, 2)} s` : value;
}

/** @param {number} value @param {number} decimals */
const trimmed = (value, decimals) => String(Number(value.toFixed(decimals)));
