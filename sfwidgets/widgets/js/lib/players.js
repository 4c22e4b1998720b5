/**
 * The players of this page, by their model's id: how an analysis view keeps step with a player that another bundle drew.
 *
 * @typedef {EventTarget & { time: number, duration: number, playing: boolean, seek(seconds: number): void }} Playing
 * It sends `time` (also after a seek) and `state` events.
 */
/** @typedef {EventTarget & { playing: boolean, pause(): void }} Sounding */
const KEY = Symbol.for("sfwidgets.players");
/** @type {{ known: Map<string, Playing>, events: EventTarget, sounding?: Sounding }} */
const page = (/** @type {any} */ (globalThis)[KEY] ??= { known: new Map(), events: new EventTarget() });

/** @param {string} id @param {Playing} playing */
export function publish(id, playing) {
  page.known.set(id, playing);
  page.events.dispatchEvent(new Event(id));
  return () => page.known.delete(id);
}

/** Call `found` with the player of that id, now or once there is one; returns what ends that.
 * @param {string} id @param {(playing: Playing) => void} found */
export function whenPlayer(id, found) {
  const take = () => {
    const playing = page.known.get(id);
    if (playing) found(playing);
  };
  page.events.addEventListener(id, take);
  take();
  return () => page.events.removeEventListener(id, take);
}

/** Have only one engine of the page sound: where this one begins to play, the one that played is paused.
 * @param {Sounding} engine It sends `state` events. */
export function soundAlone(engine) {
  engine.addEventListener("state", () => {
    if (!engine.playing || page.sounding === engine) return;
    if (page.sounding?.playing) page.sounding.pause();
    page.sounding = engine;
  });
}
