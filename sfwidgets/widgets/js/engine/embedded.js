/**
 * Audio that the page itself carries: short files (Ogg Vorbis, FLAC, …) in base64, decoded when they are played.
 *
 * @typedef {object} Segment A file that holds the frames from `start - lead` on, and plays from `start` for `frames` frames. The
 * lead, and whatever the file holds behind its last frame, lets a lossy codec warm up and die away where nobody hears it.
 * @property {number} start @property {number} lead @property {number} frames
 * @property {string} data The file, in base64.
 *
 * @typedef {object} Embedded
 * @property {number} rate Of all files, and of the engine that plays them.
 * @property {Record<string, Segment[]>} lanes Each lane's segments, ascending, without a gap.
 */
import { AskError } from "../lib/channel.js";

const UNDECODED = "This browser can't decode the audio in this page. Open it in a current Firefox, Chrome or Edge.";
const MISSING = "This page doesn't hold that part of the audio.";
/** Decoded segments kept for each lane. */
const KEPT = 3;

/**
 * @param {Embedded} embedded
 * @param {BaseAudioContext} [context] Decodes; of the same rate.
 * @returns {import("./sources.js").Source}
 */
export function embeddedSource({ rate, lanes }, context = new OfflineAudioContext(2, 1, rate)) {
  /** @type {Map<Segment, Promise<Int16Array>>} In the order of their last use. */
  const decoded = new Map();
  const most = KEPT * Object.keys(lanes).length;

  /** @param {Segment} segment */
  const decode = (segment) => {
    const found = decoded.get(segment) ?? frames(segment, context);
    decoded.delete(segment);
    decoded.set(segment, found);
    found.catch(() => decoded.delete(segment));
    for (const old of decoded.keys()) {
      if (decoded.size <= most) break;
      decoded.delete(old);
    }
    return found;
  };

  return {
    async read(lane, start, count) {
      const out = new Int16Array(2 * count);
      const parts = (lanes[lane] ?? []).filter((segment) => segment.start < start + count && start < segment.start + segment.frames);
      let filled = 0;
      for (const segment of parts) {
        const samples = await decode(segment);
        const from = Math.max(start, segment.start);
        const to = Math.min(start + count, segment.start + segment.frames);
        out.set(samples.subarray(2 * (from - segment.start), 2 * (to - segment.start)), 2 * (from - start));
        filled += to - from;
      }
      if (filled !== count) throw new AskError(MISSING, "not_found");
      return out;
    },
  };
}

/** @param {Segment} segment @param {BaseAudioContext} context @returns {Promise<Int16Array>} Without its lead. */
async function frames({ lead, frames: count, data }, context) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const audio = await context.decodeAudioData(bytes.buffer).catch(() => {
    throw new AskError(UNDECODED, "codec");
  });
  const out = new Int16Array(2 * count);
  for (let side = 0; side < 2; side++) {
    const channel = audio.getChannelData(Math.min(side, audio.numberOfChannels - 1));
    for (let i = 0; i < count && lead + i < channel.length; i++) {
      out[2 * i + side] = Math.max(-32768, Math.min(32767, Math.round(channel[lead + i] * 32768)));
    }
  }
  return out;
}
