// A front end as it was written against the old microservices: it knows their addresses, and nothing of ours.
import { StrictMode, useCallback, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { download, gateway, processing, sentence, spotify, upload } from "./api.js";
import { useSocket } from "./socket.js";
import { Track } from "./track.jsx";

const LINK = "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC";

function App() {
  const [health, setHealth] = useState(null);
  const [config, setConfig] = useState(null);
  const [models, setModels] = useState([]);
  const [toasts, setToasts] = useState([]);
  const [chosen, setChosen] = useState(null);
  const { socket, transport, connected } = useSocket();
  const toast = useCallback((text) => setToasts((before) => [...before, text]), []);

  useEffect(() => {
    const failed = (error) => toast(sentence(error));
    gateway.health().then(setHealth, failed);
    gateway.config().then(setConfig, failed);
    processing.models().then(setModels, failed);
  }, [toast]);

  const spotifyTrack = { id: "4uLU6hMCjMI75M1A2tKUQC", title: "A song", artist: "Somebody", duration: "3:33" };
  const failing = (request) => () => request().catch((error) => toast(sentence(error)));

  return (
    <main>
      <p id="health">{health && `${health.status} ${health.services.apiGateway}`}</p>
      <p id="config">{config && JSON.stringify(config)}</p>
      <p id="transport">{transport}</p>
      <ul aria-label="Models">
        {models.map((model) => (
          <li key={model.id} data-installed={model.installed} data-default={model.isDefault}>
            {model.name}
          </li>
        ))}
      </ul>
      <button onClick={failing(() => spotify.fetch(LINK))}>Fetch</button>
      <button onClick={failing(() => download.track(spotifyTrack.id, LINK, spotifyTrack))}>Download</button>
      <label>
        Upload
        <input
          type="file"
          onChange={(event) => upload(event.target.files[0]).then(({ id }) => setChosen(id), (error) => toast(sentence(error)))}
        />
      </label>
      <label>
        Track
        <input onChange={(event) => setChosen(event.target.value)} />
      </label>
      {chosen && <Track key={chosen} id={chosen} socket={socket} connected={connected} toast={toast} />}
      <ul aria-label="Messages">
        {toasts.map((text, number) => (
          <li key={number}>{text}</li>
        ))}
      </ul>
    </main>
  );
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
