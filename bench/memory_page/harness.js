// The player over HTTP, for a browser that nobody drives: it plays, is sent about, and says when it is done.
import { httpSource } from "widgets/engine/sources.js";
import { localModel, mountPlayer, Session } from "widgets/player/mount.js";

const { track, analysis, sampleRate, samplesPerPixel, seconds } = await (await fetch("track")).json();
const wait = (share) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds * share));

if (location.search === "?player") {
  const urls = Object.fromEntries(track.lanes.map(({ name }) => [name, new URL(`${name}.wav`, location.href).href]));
  const backing = {
    source: async () => httpSource(urls),
    peaks: async (lane) => ({ pairs: new Int8Array(await (await fetch(`${lane}.peaks`)).arrayBuffer()), samplesPerPixel, sampleRate }),
    analysis: async () => analysis,
  };
  const session = new Session(localModel({ track, mix: {}, cues: [], time: 0, playing: false, page: "" }), backing);
  mountPlayer(document.querySelector("main"), session);
  await session.loading;
  await session.play();
  for (const share of [0.4, 0.8, 0.1]) {
    await wait(0.25);
    session.seek(share * track.duration);
  }
  const before = session.time;
  await wait(0.25);
  await fetch("done", { method: "POST", body: String(session.time - before) });
} else {
  await fetch("done", { method: "POST", body: "0" });
}
