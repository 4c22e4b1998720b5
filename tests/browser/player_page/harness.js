// The player on a page without a kernel: a song that is computed, and what was said to the model, for tests to look at.
import { AskError } from "widgets/lib/channel.js";
import { localModel, mountPlayer, Session } from "widgets/player/mount.js";

const RATE = 44100;
const BAR = 2;
/** How loud a kind of stem is in each kind of section, and its sound between two beats. */
const LOUD = {
  intro: { drums: 0.2, bass: 0.0, other: 0.5, vocals: 0.02, guitar: 0.4, piano: 0.3 },
  verse: { drums: 0.7, bass: 0.6, other: 0.4, vocals: 0.6, guitar: 0.35, piano: 0.4 },
  chorus: { drums: 0.95, bass: 0.8, other: 0.7, vocals: 0.85, guitar: 0.7, piano: 0.55 },
  bridge: { drums: 0.1, bass: 0.35, other: 0.75, vocals: 0.45, guitar: 0.2, piano: 0.7 },
  outro: { drums: 0.3, bass: 0.3, other: 0.5, vocals: 0.05, guitar: 0.3, piano: 0.3 },
};
const FORM = ["intro", "verse", "chorus", "verse", "chorus", "bridge", "chorus", "outro"];
const LABELS = { intro: "A", verse: "B", chorus: "C", bridge: "D", outro: "A" };

const hash = (n) => {
  const x = Math.imul(n ^ 0x9e3779b9, 0x85ebca6b);
  return (((x ^ (x >>> 13)) >>> 0) % 1000) / 1000;
};

function song(seconds) {
  const bars = Math.floor(seconds / BAR);
  const each = (seconds - (seconds % BAR)) / FORM.length;
  const bar = (time) => Math.round(time / BAR) * BAR;
  const sections = FORM.map((role, i) => ({
    start: bar(i * each), end: i === FORM.length - 1 ? seconds : bar((i + 1) * each), label: LABELS[role], role, confidence: 0.8,
  }));
  const chords = Array.from({ length: bars }, (_, i) => ({
    start: i * BAR, end: (i + 1) * BAR, label: ["A:min", "F:maj", "C:maj", "G:7"][i % 4], confidence: 0.9,
  }));
  return {
    beats: Array.from({ length: bars * 4 }, (_, i) => i * (BAR / 4)), downbeats: Array.from({ length: bars }, (_, i) => i * BAR),
    sections, chords, key: "A minor", tempo: 120, timeSignature: "4/4",
  };
}

function loudness(name, time, sections) {
  const role = sections.find((section) => time < section.end)?.role ?? "outro";
  const beat = (time % 0.5) / 0.5;
  const phrase = Math.floor(time / 0.25);
  if (name === "drums") return LOUD[role].drums * Math.exp(-7 * beat) * (Math.floor(time / 0.5) % 2 ? 1 : 0.75);
  if (name === "vocals") return LOUD[role].vocals * (hash(phrase) > 0.28 ? 0.45 + 0.55 * hash(phrase * 7) : 0.03) * Math.abs(Math.sin(time * 2.1));
  if (name === "bass") return LOUD[role].bass * (1 - 0.45 * beat);
  if (name === "mixture") return Math.min(1, 0.5 * ["drums", "bass", "other", "vocals"].reduce((sum, lane) => sum + loudness(lane, time, sections), 0));
  return (LOUD[role][name] ?? 0.4) * (0.6 + 0.25 * Math.sin(time * 1.3) + 0.15 * hash(Math.floor(time * 40)));
}

function outline(name, seconds, sections) {
  const pairs = Math.ceil((seconds * RATE) / 256);
  const found = new Int8Array(2 * pairs);
  for (let i = 0; i < pairs; i++) {
    const height = 120 * loudness(name, (i * 256) / RATE, sections);
    found[2 * i] = -height * (0.62 + 0.38 * hash(2 * i));
    found[2 * i + 1] = height * (0.62 + 0.38 * hash(2 * i + 1));
  }
  return found;
}

/** @param given seconds, stems, analysed, preview, notices, mix, failing (audio can't be read), views */
window.start = async ({
  seconds = 180, stems = ["vocals", "drums", "bass", "other"], analysed = true, preview = "", notices = [], mix = {}, cues, views = 1, exports = true, title = "Night Bus Home",
} = {}) => {
  const analysis = song(seconds);
  const lanes = [...stems.map((name) => ({ name, type: name, group: "stems" })), { name: "mixture", type: "mixture", group: "mixture" }];
  const track = {
    id: "t1", title, artist: "The Parallel Lines", album: "Last Service", duration: seconds, sampleRate: RATE, frames: seconds * RATE, lanes, preview, notices,
  };
  const model = localModel({ track, mix, time: 0, playing: false, page: "", cues: cues ?? (analysed ? analysis.sections.filter((s) => s.role === "chorus").map((s, i) => ({ time: s.start, label: `Chorus ${i + 1}`, type: "section" })) : []) });
  window.reads = 0;
  window.failing = false;
  window.exported = [];
  const tone = { vocals: 330, drums: 0, bass: 55, other: 220, mixture: 165 };
  const backing = {
    source: async () => ({
      async read(lane, start, count) {
        window.reads++;
        await window.away;
        if (window.unreached) {
          window.refused = (window.refused ?? 0) + 1;
          throw new AskError("Nobody was reached.", "no_answer");
        }
        if (window.failing) throw Object.assign(new Error("The file of this lane is no longer there. Separate the track again."), { name: "AskError" });
        const out = new Int16Array(2 * count);
        const pitch = tone[lane] ?? 440;
        for (let i = 0; i < count; i++) {
          const sample = 8000 * (pitch ? Math.sin((2 * Math.PI * pitch * (start + i)) / RATE) : hash(start + i) - 0.5);
          out[2 * i] = out[2 * i + 1] = sample;
        }
        return out;
      },
    }),
    peaks: async (lane) => ({ pairs: outline(lane, seconds, analysis.sections), samplesPerPixel: 256, sampleRate: RATE }),
    analysis: async () => (analysed ? analysis : null),
    ...(exports && {
      async exporting(options, progress, signal) {
        window.exported.push(options);
        progress(0.5);
        await new Promise((resolve) => setTimeout(resolve, window.slow ?? 0));
        signal.throwIfAborted();
        progress(1);
      },
    }),
  };
  window.endAll?.();
  const session = new Session(model, backing);
  const ends = Array.from({ length: views }, () => mountPlayer(document.querySelector("main"), session));
  window.endAll = () => {
    ends.forEach((end) => end());
    session.close();
  };
  Object.assign(window, { model, session });
  await session.loading;
};
