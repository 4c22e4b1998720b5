// A front end as it was written against the old microservices: it knows their addresses, and nothing of ours.
import { StrictMode, useCallback, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { gateway, processing, sentence, upload } from "./api.js";
import { useSocket } from "./socket.js";
import { Playlist } from "./playlist.jsx";
import { Track } from "./track.jsx";

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
      <Playlist choose={setChosen} toast={toast} />
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
