// A program under Node that follows a track and asks for work on it: node client.mjs JSON
// It is told the server's address, how it shows the token, and by which door it listens, and prints what happened.
import net from "node:net";
import axios from "axios";
import { io } from "socket.io-client";
import { WebSocket as NpmWebSocket } from "ws";

const AFTERWARDS_MS = 200;
const PATIENCE_MS = 45000;
const { url, door, transports, header, query, track, requests, drops } = JSON.parse(process.argv[2]);

const events = [];
const connections = [];
let lookAgain = () => {};
const told = (name, data) => {
  events.push({ name, data, at: performance.now() });
  lookAgain();
};
const until = (condition) =>
  new Promise((resolve) => {
    lookAgain = () => condition() && resolve();
    lookAgain();
  });

/** Passes bytes on to the server, until it drops all connections: the server's end of a connection that breaks. */
async function proxy() {
  const target = new URL(url);
  const open = new Set();
  const server = net.createServer((client) => {
    const upstream = net.connect(target.port, target.hostname);
    for (const [socket, other] of [[client, upstream], [upstream, client]]) {
      open.add(socket);
      socket.pipe(other);
      socket.on("error", () => {});
      socket.on("close", () => (open.delete(socket), other.destroy()));
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    drop: () => open.forEach((socket) => socket.destroy()),
    close: () => (server.close(), open.forEach((socket) => socket.destroy())),
  };
}

async function bySocketIO(at, headers) {
  const socket = io(at, { transports, extraHeaders: headers, query: query ? { token: query } : {}, reconnectionDelay: 100 });
  socket.onAny(told);
  await new Promise((resolve, reject) => {
    socket.on("connect", async () => {
      connections.push(socket.io.engine.transport.name);
      await socket.emitWithAck("subscribe:track", track);
      resolve();
    });
    socket.on("connect_error", (error) => reject(new Error(`${error.message} ${error.context?.status ?? ""}`)));
  });
  return { transport: () => socket.io.engine.transport.name, close: () => socket.close() };
}

async function byWebSocket(at, headers) {
  const address = `ws${at.slice(4)}ws${query ? `?token=${query}` : ""}`;
  const socket = door === "ws" ? new NpmWebSocket(address, { headers }) : new WebSocket(address);
  const send = (event, data) => socket.send(JSON.stringify({ event, data }));
  await new Promise((resolve, reject) => {
    socket.onerror = (error) => reject(new Error(error.message || "The WebSocket was refused."));
    socket.onopen = () => {
      connections.push("websocket");
      send("subscribe:track", track);
      send("ready", null); // no such event: its refusal says that what came before has been read
    };
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.event === "error" && frame.data.code === "unknown_event") resolve();
      else told(frame.event, frame.data);
    };
  });
  return { transport: () => "websocket", close: () => socket.close() };
}

const between = drops ? await proxy() : { url, close: () => {} };
const headers = header ? { Authorization: `token ${header}` } : {};
const api = axios.create({ baseURL: url, headers, params: query ? { token: query } : {}, validateStatus: () => true });
setTimeout(() => {
  console.error(`It took too long. Events: ${JSON.stringify(events)}`);
  process.exit(1);
}, PATIENCE_MS).unref();

const jobs = [];
let refused = null;
let transport = null;
try {
  const listener = await (door === "socket.io" ? bySocketIO : byWebSocket)(between.url, headers);
  for (const [path, body] of requests) {
    const answer = await api.post(path, body);
    const job = { status: answer.status, id: answer.data.jobId, accepted: performance.now() };
    jobs.push(job);
    const about = () => events.filter(({ data }) => (data.jobId ?? data.id) === job.id);
    if (drops) {
      await until(() => about().length);
      between.drop();
    }
    await until(() => about().some(({ name }) => /^(processing|analysis):(completed|error)$/.test(name)));
    transport = listener.transport();
  }
  await new Promise((resolve) => setTimeout(resolve, AFTERWARDS_MS));
  listener.close();
} catch (error) {
  refused = error.message;
  const answers = requests.map(([path, body]) => api.post(path, body));
  for (const answer of await Promise.all(answers)) jobs.push({ status: answer.status, body: answer.data });
}
between.close();
console.log(JSON.stringify({ refused, transport, connections, jobs, events }));
process.exit();
