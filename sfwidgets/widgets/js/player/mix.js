/**
 * How a player is set, in the form that goes over the wire (`models.Mix`).
 *
 * @typedef {{ volume: number, pan: number, muted: boolean, soloed: boolean }} Lane
 * @typedef {{ start: number, end: number, label: string }} Loop
 * @typedef {object} Mix
 * @property {Record<string, Lane>} lanes
 * @property {number} volume
 * @property {number} speed
 * @property {number} pitch
 * @property {"stems" | "mixture"} source
 * @property {boolean} click
 * @property {number} clickVolume
 * @property {Loop | null} loop
 * @property {Loop[]} loops
 */

/** @returns {Mix} */
export function plainMix() {
  return { lanes: {}, volume: 1, speed: 1, pitch: 0, source: "stems", click: false, clickVolume: 0.5, loop: null, loops: [] };
}

/** @param {Mix} mix @param {string} name @returns {Lane} */
export function laneOf(mix, name) {
  return mix.lanes[name] ?? { volume: 1, pan: 0, muted: false, soloed: false };
}

/** Whether a lane of the stems sounds. @param {Mix} mix @param {string} name */
export function audible(mix, name) {
  const lane = laneOf(mix, name);
  return !lane.muted && (lane.soloed || !Object.values(mix.lanes).some((other) => other.soloed));
}

/** @param {number} value @param {number} lowest @param {number} highest */
export function clamp(value, lowest, highest) {
  return Math.min(highest, Math.max(lowest, value));
}

/** @param {number} gain Linear. @returns {string} Like `-3.1 dB`. */
export function decibels(gain) {
  if (gain < 0.001) return "−∞ dB";
  const value = 20 * Math.log10(gain);
  return `${Math.abs(value) < 0.05 ? "0.0" : value.toFixed(1).replace("-", "−")} dB`;
}
