// The client of the old API gateway: axios, as it comes, without any token.
import axios from "axios";

const api = axios.create({
  baseURL: import.meta.env.VITE_API_URL,
  timeout: 30000,
  headers: { "Content-Type": "application/json" },
});

const get = async (path) => (await api.get(path)).data;
const post = async (path, body) => (await api.post(path, body)).data;

export const gateway = {
  health: () => get("/health"),
  config: () => get("/api/config"),
};

export const spotify = {
  fetch: (url) => post("/api/spotify/fetch", { url }),
};

export const download = {
  track: (trackId, spotifyUrl, trackInfo) => post("/api/download/track", { trackId, spotifyUrl, trackInfo }),
  job: (jobId) => get(`/api/download/job/${jobId}`),
};

export const processing = {
  models: () => get("/api/models"),
  separate: (trackId, options) => post("/api/process/separate", { trackId, options }),
  job: (jobId) => get(`/api/process/job/${jobId}`),
  track: (trackId) => get(`/api/process/track/${trackId}`),
};

export const analysis = {
  analyze: (trackId) => post("/api/analyze/analyze", { trackId }),
  job: (jobId) => get(`/api/analyze/job/${jobId}`),
  track: (trackId) => get(`/api/analyze/track/${trackId}`),
};

export const upload = async (file) => (await api.postForm("/api/tracks", { file })).data;

/** Where a stem is, for an <audio> element of a page that the API does not serve. */
export const audioUrl = (url) => new URL(url, import.meta.env.VITE_API_URL).href;

/** What a failed request is shown as: the server's sentence, where it has one. */
export const sentence = (error) => error.response?.data?.error ?? error.message;
