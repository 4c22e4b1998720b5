import { useCallback, useEffect, useState } from "react";
import { analysis, audioUrl, processing, sentence } from "./api.js";

const OPTIONS = {
  model: "embedded",
  twoStems: false,
  extractVocals: true,
  extractDrums: true,
  extractBass: true,
  extractOther: true,
  autoProcess: false,
};
const JOB_EVENTS = ["download", "processing", "analysis"].flatMap((work) =>
  ["created", "updated", "completed", "error"].map((what) => `${work}:job:${what}`),
);
const POLL_MS = 200;

/** One track: what happens to it, its stems, and what was found out about it. */
export function Track({ id, socket, connected, toast }) {
  const [stems, setStems] = useState([]);
  const [result, setResult] = useState(null);
  const [events, setEvents] = useState([]);
  const [progress, setProgress] = useState(null);
  const [polled, setPolled] = useState(null);

  const showStems = useCallback(async () => {
    const found = await processing.track(id);
    if (found.status === "completed" && found.stems) setStems(found.stems);
  }, [id]);
  const showAnalysis = useCallback(async () => {
    const found = await analysis.track(id);
    if (found.bpm) setResult(found);
  }, [id]);

  useEffect(() => {
    for (const show of [showStems, showAnalysis]) show().catch((error) => console.warn(sentence(error)));
  }, [showStems, showAnalysis]);

  useEffect(() => {
    if (!connected) return undefined;
    const note = (name) => (data) => {
      if (data.trackId === id) setEvents((before) => [...before, { name, data }]);
    };
    const handlers = Object.fromEntries(JOB_EVENTS.map((name) => [name, note(name)]));
    const react = (name, act) => {
      handlers[name] = (data) => {
        if (data.trackId !== id) return;
        note(name)(data);
        act(data);
      };
    };
    react("processing:started", () => setProgress(0));
    react("processing:update", (data) => setProgress(data.progress));
    react("processing:completed", (data) => {
      setProgress(null);
      toast(`Separated into ${data.stems.length} stems.`);
      showStems().catch((error) => toast(sentence(error)));
    });
    react("processing:error", (data) => toast(data.error));
    react("analysis:completed", () => showAnalysis().catch((error) => toast(sentence(error))));
    react("analysis:error", (data) => toast(data.error));
    for (const [name, handler] of Object.entries(handlers)) socket.on(name, handler);
    socket.emit("subscribe:track", id);
    return () => {
      socket.emit("unsubscribe:track", id);
      for (const [name, handler] of Object.entries(handlers)) socket.off(name, handler);
    };
  }, [socket, connected, id, toast, showStems, showAnalysis]);

  const poll = async (jobId) => {
    const job = await processing.job(jobId);
    setPolled(`${job.status} ${job.progress}`);
    if (job.status !== "completed" && job.status !== "error") setTimeout(() => poll(jobId), POLL_MS);
  };
  const ask = async (request, then) => {
    try {
      const answer = await request();
      toast(answer.message);
      await then?.(answer.jobId);
    } catch (error) {
      toast(sentence(error));
    }
  };

  return (
    <section aria-label={`Track ${id}`}>
      <button onClick={() => ask(() => processing.separate(id, OPTIONS), poll)}>Separate</button>
      <button onClick={() => ask(() => analysis.analyze(id))}>Analyze</button>
      <p id="progress">{progress === null ? "" : `${progress} %`}</p>
      <p id="polled">{polled}</p>
      <ul aria-label="Stems">
        {stems.map((stem) => (
          <li key={stem.name}>
            {stem.type} <audio controls preload="none" src={audioUrl(stem.url)} data-name={stem.name} />
          </li>
        ))}
      </ul>
      {result && (
        <dl aria-label="Analysis">
          <dt>BPM</dt>
          <dd id="bpm">{result.bpm}</dd>
          <dt>Key</dt>
          <dd id="key">{result.key}</dd>
          <dt>Cue points</dt>
          <dd id="cues">{result.cuePoints.length}</dd>
        </dl>
      )}
      <ol aria-label="Events">
        {events.map(({ name, data }, number) => (
          <li key={number} data-job={data.jobId ?? data.id} data-seq={data.seq} data-progress={data.progress}>
            {name}
          </li>
        ))}
      </ol>
    </section>
  );
}
