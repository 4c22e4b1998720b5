/**
 * Who holds the track: a kernel behind the widget's channel, or a page that carries everything itself.
 *
 * @typedef {object} TrackLane
 * @property {string} name @property {string} type @property {"stems" | "mixture"} group
 * @typedef {object} Track
 * @property {string} id @property {string} title @property {string} artist @property {string} [album]
 * @property {number} duration @property {number} sampleRate @property {number} frames
 * @property {TrackLane[]} lanes @property {string} preview The preview model's name, or nothing. @property {string[]} notices
 *
 * @typedef {object} ExportOptions
 * @property {string} what `mix`, or a lane's name (`mixture`: the original). @property {[number, number] | null} span
 * @property {string} format @property {number | null} sampleRate @property {number | null} bitDepth
 * @property {string | null} normalize @property {Record<string, string>} tags
 *
 * @typedef {object} Backing
 * @property {() => Promise<import("../engine/sources.js").Source & { sampleRate?: number, frames?: number }>} source Its rate and
 * length, where they may be other than the track says.
 * @property {(lane: string) => Promise<{ pairs: Int8Array, samplesPerPixel: number, sampleRate: number } | null>} peaks
 * @property {() => Promise<import("./musical.js").Analysis | null>} analysis
 * @property {(cues: import("./musical.js").Cue[]) => Promise<void>} [saveCues] Without it, they stay in the page.
 * @property {(options: ExportOptions & { mix: import("./mix.js").Mix }, progress: (share: number) => void, signal: AbortSignal) => Promise<string[] | void>} [exporting]
 * Returns what to know of the file. Without it, nothing is exported.
 * @property {() => void} [close]
 */
import { chooseSource } from "../engine/sources.js";
import { Channel } from "../lib/channel.js";
import { download } from "../lib/download.js";

/** How often an export's progress is asked for, in milliseconds. */
const ASKING = 250;
/** Seconds that an answer may take: a kernel that runs a cell keeps it waiting. */
const PATIENCE = 30;
/** Seconds that a long track may take to be decoded, the first time it is opened. */
const DECODING = 900;

/** The kernel behind a widget. @param {import("../lib/channel.js").Model} model @returns {Backing} */
export function kernelBacking(model) {
  const channel = new Channel(model);
  return {
    async source() {
      const { value } = await channel.ask("sound", {}, { patience: DECODING });
      return Object.assign(await chooseSource(value, channel), { sampleRate: value.sampleRate, frames: value.frames });
    },
    async peaks(lane) {
      const { value, buffers } = await channel.ask("peaks", { lane }, { patience: PATIENCE });
      if (!value) return null;
      const { buffer, byteOffset, byteLength } = buffers[0];
      return { ...value, pairs: new Int8Array(buffer, byteOffset, byteLength) };
    },
    analysis: async () => (await channel.ask("analysis", {}, { patience: PATIENCE })).value,
    saveCues: async (cues) => void (await channel.ask("cues", { cues })),
    async exporting(options, progress, signal) {
      const { value: job } = await channel.ask("export", options);
      try {
        for (;;) {
          const { value } = await channel.ask("exporting", { job });
          progress(value.share * 0.9);
          signal.throwIfAborted();
          if (value.file) {
            await download(channel, value.file, (share) => progress(0.9 + share * 0.1));
            return value.file.notices;
          }
          await new Promise((resolve) => setTimeout(resolve, ASKING));
        }
      } catch (error) {
        if (signal.aborted) channel.ask("cancel_export", { job }).catch(() => {});
        throw error;
      }
    },
    close: () => channel.close(),
  };
}
