import { useState } from "react";
import { download, sentence, spotify } from "./api.js";

const POLL_MS = 200;

/** The tracks of a link to Spotify; each can be downloaded, and is chosen when it is there. */
export function Playlist({ choose, toast }) {
  const [link, setLink] = useState("");
  const [found, setFound] = useState(null);
  const [polled, setPolled] = useState(null);

  const fetch = () => spotify.fetch(link).then(setFound, (error) => toast(sentence(error)));
  const poll = async (jobId, track) => {
    const job = await download.job(jobId);
    setPolled(`${job.status} ${job.progress}`);
    if (job.status === "completed") choose(track.id);
    else if (job.status === "error") toast(job.error);
    else setTimeout(() => poll(jobId, track), POLL_MS);
  };
  const ask = async (track) => {
    try {
      const { jobId } = await download.track(track.id, `https://open.spotify.com/track/${track.id}`, track);
      await poll(jobId, track);
    } catch (error) {
      toast(sentence(error));
    }
  };

  return (
    <section aria-label="Spotify">
      <label>
        Link
        <input value={link} onChange={(event) => setLink(event.target.value)} />
      </label>
      <button onClick={fetch}>Fetch</button>
      <p id="downloaded">{polled}</p>
      {found && (
        <>
          <h2>{`${found.type} ${found.name}`}</h2>
          <ol aria-label="Playlist">
            {found.tracks.map((track) => (
              <li key={track.id}>
                {`${track.title} by ${track.artist}, ${track.duration}`}
                <button onClick={() => ask(track)}>Download {track.title}</button>
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}
