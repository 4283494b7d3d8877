// The Socket.IO server: what somebody sends goes to everybody else of the same room.
// WebSocket only, as its performance notes advise where no fallback is needed; no compression, which
// is its default. Node sets TCP_NODELAY on the sockets of its HTTP servers by itself.
//   node server.js HOST PORT CHAIN KEY
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { Server } from "socket.io";

const [host, port, chain, key] = process.argv.slice(2);
const http = createServer({ cert: readFileSync(chain), key: readFileSync(key), minVersion: "TLSv1.3" });
const io = new Server(http, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  const room = socket.handshake.query.room;
  socket.join(room);
  socket.on("message", (text) => socket.to(room).emit("message", text));
});
http.listen(Number(port), host);
process.on("SIGINT", () => process.exit(0));
