// Counts the network accesses of the process, and writes the number to the file COUNT_SOCKETS.
import dgram from "node:dgram";
import dns from "node:dns";
import { writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import process from "node:process";

const counted = [];

function count(object, method, name) {
  const original = object[method];
  object[method] = function counting(...args) {
    counted.push(name);
    return Reflect.apply(original, this, args);
  };
}

count(net.Socket.prototype, "connect", "connect");
count(net.Server.prototype, "listen", "listen");
count(dgram.Socket.prototype, "send", "send");
count(dgram.Socket.prototype, "bind", "bind");
for (const method of ["lookup", "resolve", "resolve4", "resolve6", "resolveTxt"]) {
  count(dns, method, `dns ${method}`);
  count(dns.promises, method, `dns ${method}`);
}
syncBuiltinESMExports();
process.on("exit", () => writeFileSync(process.env.COUNT_SOCKETS, counted.join("\n")));
