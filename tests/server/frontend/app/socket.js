// The client of the old WebSocket service: one connection a page, with socket.io-client's defaults.
import { io } from "socket.io-client";
import { useEffect, useState } from "react";

const transports = new URLSearchParams(location.search).get("transports")?.split(",");
const socket = io(import.meta.env.VITE_WEBSOCKET_URL, transports ? { transports } : undefined);

/** The connection, whether it is there, and what carries it. */
export function useSocket() {
  const [transport, setTransport] = useState(null);
  useEffect(() => {
    const there = () => {
      setTransport(socket.io.engine.transport.name);
      socket.io.engine.once("upgrade", (upgraded) => setTransport(upgraded.name));
    };
    const gone = () => setTransport(null);
    socket.on("connect", there);
    socket.on("disconnect", gone);
    if (socket.connected) there();
    return () => {
      socket.off("connect", there);
      socket.off("disconnect", gone);
    };
  }, []);
  return { socket, transport, connected: transport !== null };
}
